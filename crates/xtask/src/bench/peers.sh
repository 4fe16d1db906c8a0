#!/usr/bin/env bash
# Builds Valkey 9.1 from Debian's source package, as the strongest peer to measure against, outside any repository.
# Prints the folder that then holds valkey-server, valkey-cli and valkey-benchmark. Only binaries are kept.
# Usage: peers.sh DIR
set -euo pipefail
dir=$1
out=$dir/valkey
if [[ -x $out/valkey-server ]]; then echo "$out"; exit 0; fi
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
mkdir -p "$out" "$work"/{etc,lists/partial,cache/archives/partial}
sed -e 's/^Types:.*/Types: deb-src/' -e 's/^Suites: bookworm bookworm-updates/Suites: sid/' \
  /etc/apt/sources.list.d/debian.sources | awk 'BEGIN{RS="";ORS="\n\n"} /Suites: sid/' >"$work/etc/sid.sources"
opt=(-o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/etc" -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root)
{
  apt-get "${opt[@]}" update
  cd "$work" && apt-get "${opt[@]}" source --download-only valkey
  mkdir src && tar xf valkey_*.orig.tar.* -C src --strip-components=1
  make -C src -j2 MALLOC=jemalloc
  cp src/src/valkey-{server,cli,benchmark} "$out/"
} >"$dir/valkey-build.log" 2>&1 || { echo "peers/valkey: failed, see $dir/valkey-build.log" >&2; exit 1; }
echo "$out"
