# Shared by benchmarks/run and benchmarks/instructions; to be sourced after bin/prepare.sh.

peer_packages=(libzmq3-dev libnng-dev libiceoryx-posh-dev iceoryx libopenmpi-dev openmpi-bin libmpich-dev mpich)
build=$root/build/release

# Builds the benchmarks, and of everything else only what they need, with the peers that are installed now.
build_benchmarks() {
  install_packages "${packages[@]}"
  local missing=() package
  for package in "${peer_packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  if ((${#missing[@]})); then
    say "without some peers; this line installs all (none is needed to build ronde):"
    say "  sudo apt-get install ${peer_packages[*]}"
  fi
  mkdir -p "$build"
  (
    flock 9
    cd "$root"
    # A peer that came or went since the last time changes what is built.
    known=$build/missing-peers
    if [ ! -e "$known" ] || [ "$(cat "$known")" != "${missing[*]-}" ]; then
      cmake --preset release -U 'NNG_*' -U 'ICEORYX_*' -U 'iceoryx_*' -U 'ZEROMQ_*' -U 'COMPILER_*' \
        >"$build/configure.log" 2>&1 || { cat "$build/configure.log" >&2; exit 1; }
      echo "${missing[*]-}" >"$known"
    fi
    say "building"
    cmake --build --preset release --target ronde-benchmarks >"$build/benchmarks.log" 2>&1 ||
      { cat "$build/benchmarks.log" >&2; exit 1; }
  ) 9>"$build/lock" || { say "the build failed; nothing is run"; exit 1; }
}
