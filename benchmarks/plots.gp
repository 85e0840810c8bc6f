# Draws what ronde-bench --plots wrote: gnuplot -e "folder='DIR'" plots.gp
set terminal svg size 800,500 font "sans-serif,13" background "white"
set datafile missing "?"
set key outside right
set grid
set logscale y

there(name) = system("test -e '" . folder . "/" . name . ".dat' && echo yes") eq "yes"
columns(file) = int(system("head -n 1 '" . file . "' | wc -w"))
# Ours is thicker.
width(file, i) = word(system("head -n 1 '" . file . "'"), i) eq "ronde" ? 3 : 1

do for [name in "latency throughput barrier distribution"] {
  if (!there(name)) { continue }
  file = folder . "/" . name . ".dat"
  set output folder . "/" . name . ".svg"
  unset logscale x
  set xtics auto
  set format x "%g"
  if (name eq "latency" || name eq "throughput") {
    set logscale x 2
    set xlabel "bytes of a message"
    set xtics ("16" 16, "64" 64, "256" 256, "1 Ki" 1024, "4 Ki" 4096, "16 Ki" 16384, "64 Ki" 65536, \
               "256 Ki" 262144, "1 Mi" 1048576)
  }
  if (name eq "latency") { set title "One way between two cores, median"; set ylabel "ns" }
  if (name eq "throughput") { set title "Stream between two cores"; set ylabel "bytes a second" }
  if (name eq "barrier") {
    set logscale x 2
    set title "Barrier, median of a round"; set xlabel "processes"; set ylabel "ns"
  }
  if (name eq "distribution") {
    set title "One way, 64 bytes: distribution"; set xlabel "percent of the messages"; set ylabel "at most ns"
  }
  set format y "%.0s%c"
  plot for [i=2:columns(file)] file using 1:i with linespoints linewidth width(file, i) title columnheader(i)
}
