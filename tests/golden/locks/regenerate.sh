#!/bin/sh
# Locks the projects of this folder anew with uv, pdm and poetry; needs uv and an index. New versions give other bytes: the tests'
# expectations then want a look. The address of whatever index was asked becomes index.example.org.
set -eu
here=$(dirname "$(readlink -f "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$here"/uv "$here"/pdm "$here"/poetry "$work"
rm -f "$work"/*/*.lock "$work"/*/pylock.toml "$work"/*/requirements.txt
mkdir -p "$work/uv/src/shop" "$work/uv/members/basket/src/basket" "$work/pdm/src/shop" "$work/poetry/shop" "$work/poetry/members/basket/basket"
for package in uv/src/shop uv/members/basket/src/basket pdm/src/shop poetry/shop poetry/members/basket/basket; do
    touch "$work/$package/__init__.py"
done
index=$(echo | uv pip compile --quiet --no-header --emit-index-url - | sed -n 's/^--index-url //p')

cd "$work/uv"
uv lock --quiet
uv export --quiet --group dev --no-emit-workspace --format requirements-txt --output-file requirements.txt
uv export --quiet --group dev --no-emit-workspace --format pylock.toml --output-file pylock.toml

cd "$work/pdm"
PDM_CHECK_UPDATE=0 uvx --quiet --with 'pdm[locked]' pdm lock -q -G:all
PDM_CHECK_UPDATE=0 uvx --quiet --with 'pdm[locked]' pdm export -G:all -f pylock -o pylock.toml

cd "$work/poetry"
printf '\n[[tool.poetry.source]]\nname = "index"\nurl = "%s"\npriority = "primary"\n' "$index" >> pyproject.toml
uvx --quiet poetry lock --quiet --no-interaction

cd "$work"
for file in uv/uv.lock uv/requirements.txt uv/pylock.toml pdm/pdm.lock pdm/pylock.toml poetry/poetry.lock; do
    sed -E -e 's#https?://[^/"]+/#https://index.example.org/#g' -e 's#file://[^"]*/#https://index.example.org/#g' "$file" > "$here/$file"
done
