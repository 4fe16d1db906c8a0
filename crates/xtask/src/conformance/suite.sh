#!/usr/bin/env bash
# Obtains the tests of Redis 7.0.15 from Debian's source package, outside any repository: they are
# run as they are, never copied. Prints the folder that holds them.
# Usage: suite.sh DIR
set -euo pipefail
dir=$1
out=$dir/redis-7.0.15-tests
if [[ -d $out/tests ]]; then echo "$out"; exit 0; fi
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
mkdir -p "$dir" "$work"/{etc,lists/partial,cache/archives/partial,tree}
sed -e 's/^Types:.*/Types: deb-src/' /etc/apt/sources.list.d/debian.sources >"$work/etc/src.sources"
opt=(-o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/etc" -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root)
{
  timeout 300 apt-get "${opt[@]}" update
  cd "$work" && timeout 300 apt-get "${opt[@]}" source --download-only redis
  tar xf redis_7.0.15.orig.tar.gz -C tree --strip-components=1
  rm -rf "$out.new"
  mkdir "$out.new"
  cp -r tree/tests tree/utils "$out.new/"
  mkdir "$out.new/src"
  mv "$out.new" "$out"
} >"$dir/redis-tests.log" 2>&1 || { echo "the suite cannot be obtained, see $dir/redis-tests.log" >&2; exit 1; }
echo "$out"
