#!/bin/sh
# Makes the keys and signed files of this folder anew with GnuPG. With other keys the bytes differ; the tests do not mind.
set -eu
here=$(dirname "$(readlink -f "$0")")
home=$(mktemp -d)
trap 'gpgconf --homedir "$home" --kill all; rm -rf "$home"' EXIT
gpg() { command gpg --homedir "$home" --batch --quiet --pinentry-mode loopback --passphrase '' --faked-system-time 20260201T000000 "$@"; }
printf 'Origin: Debian\n- dashed\ntrailing \t\n\nend\n' > "$home/text"
for name in rsa ed25519; do
    case $name in rsa) kind=rsa3072 ;; *) kind=ed25519 ;; esac
    gpg --quick-generate-key "Golden $name <golden@example.invalid>" "$kind" cert,sign 20y
    fingerprint=$(gpg --with-colons --list-keys "Golden $name" | awk -F: '$1 == "fpr" { print $10; exit }')
    [ "$name" = ed25519 ] || gpg --quick-add-key "$fingerprint" "$kind" sign 20y
    gpg --export --armor "$fingerprint" > "$here/$name.asc"
    gpg --yes --local-user "$fingerprint" --clearsign --digest-algo SHA512 --output "$here/$name.signed" "$home/text"
done
