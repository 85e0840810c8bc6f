# Shared by bin/launch and tests/run: installs what a build needs, and builds a preset if a source has changed.
# To be sourced by bash with `root` set to the checkout.

packages=(g++ cmake ninja-build pkg-config libboost-dev libspdlog-dev catch2 libcli11-dev nlohmann-json3-dev)

say() { echo "ronde: $*" >&2; }

# Installs the missing ones of the named Debian packages.
install_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  local as_root=()
  if [ "$(id -u)" != 0 ]; then
    if ! sudo -n true 2>/dev/null; then
      say "these packages are missing; install them and call again:"
      say "  sudo apt-get install ${missing[*]}"
      exit 1
    fi
    as_root=(sudo -n)
  fi
  say "installing ${missing[*]}"
  local install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends)
  "${install[@]}" "${missing[@]}" >/dev/null 2>&1 && return 0
  # The package lists may be missing or old.
  "${as_root[@]}" apt-get update -qq >&2
  "${install[@]}" "${missing[@]}" >&2 || { say "apt-get could not install ${missing[*]}"; exit 1; }
}

# build_preset NAME [cmake option...]: up to date at once if no source is newer than the last build.
build_preset() {
  local preset=$1 build=$root/build/$1 stamp=$root/build/$1/up-to-date
  shift
  if [ -e "$stamp" ] && [ -z "$(find "$root"/{CMakeLists.txt,CMakePresets.json,include,ipc,bin,tests,benchmarks} \
      -newer "$stamp" -print -quit 2>/dev/null)" ]; then
    return 0
  fi
  install_packages "${packages[@]}"
  mkdir -p "$build"
  (
    # Of two calls at once, the second waits and finds the work done.
    flock 9
    begun=$(mktemp)
    say "building ($preset)"
    cd "$root"
    if ! cmake --preset "$preset" "$@" >"$build/configure.log" 2>&1; then
      cat "$build/configure.log" >&2
      exit 1
    fi
    cmake --build --preset "$preset" >&2 || exit 1
    # A source saved during the build is newer than its beginning.
    mv "$begun" "$stamp"
  ) 9>"$build/lock" || { say "the build failed; nothing is run"; exit 1; }
}
