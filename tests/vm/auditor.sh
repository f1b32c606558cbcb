#!/bin/sh
# Verifies a keymuster vault without keymuster: age opens it, sha256sum links it, and
# ssh-keygen verifies every signature.
#
#   auditor.sh VAULT READER.IDENTITY KNOWN_HEAD NAMESPACE
#
# KNOWN_HEAD is a file with a head that somebody kept (keymuster log head).
set -eu
vault=$1 reader=$2 known_head=$3 namespace=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

digest() { sha256sum | cut -d' ' -f1; }
# The value of a field of a document: they stand one to a line, the first one counts.
field() { sed -n "s/^$1 = \"\\(.*\\)\"\$/\\1/p" "$2" | head -n 1; }

# The compartment "records" is encrypted to its readers; the log is encrypted to it. Its newest
# epoch holds those before it.
newest=0
for file in "$vault"/compartments/records.*.age; do
    epoch=${file%.age} epoch=${epoch##*.}
    [ "$epoch" -le "$newest" ] || newest=$epoch
done
age -d -i "$reader" -o "$work/records" "$vault/compartments/records.$newest.age"
id=$(sed -n 's/^vault = "\(.*\)"$/\1/p' "$vault/vault.toml")
link=$(printf 'keymuster/%s\n' "$id" | digest)

number=0
verified=0
: > "$work/allowed_signers"
while number=$((number + 1)); entry=$vault/log/$(printf '%06d' "$number").age; [ -e "$entry" ]; do
    age -d -i "$work/records" -o "$work/entry" "$entry"
    # The document ends where the first signature begins.
    sed '/^-----BEGIN SSH SIGNATURE-----$/,$d' "$work/entry" > "$work/document"
    [ "$(field previous "$work/document")" = "$link" ] || { echo "entry $number: wrong link"; exit 1; }
    [ "$(sed -n 's/^number = //p' "$work/document" | head -n 1)" = "$number" ] || { echo "entry $number: wrong number"; exit 1; }
    link=$(printf '%s %s\n' "$link" "$(digest < "$work/document")" | digest)
    printf 'keymuster/%s\n%s\n%s\n' "$id" "$number" "$link" > "$work/head"

    # Keys that this entry enrols: the line after key-enrolled names the key, the next holds it.
    sed -n '/^kind = "key-enrolled"$/{n;s/^key = "\(.*\)"$/\1/p;n;s/^public_key = "\(.*\)"$/\1/p;}' "$work/document" |
        while read -r name && read -r key; do
            echo "$name namespaces=\"$namespace\" $key"
        done >> "$work/allowed_signers"

    # One signature for each signer, in their order.
    signers=$(sed -n 's/^signers = \[\(.*\)\]$/\1/p' "$work/document" | tr -d '",')
    place=0
    for signer in $signers; do
        place=$((place + 1))
        awk -v want="$place" '/^-----BEGIN SSH/ { n++ } n == want' "$work/entry" > "$work/signature"
        ssh-keygen -Y verify -f "$work/allowed_signers" -I "$signer" -n "$namespace" \
            -s "$work/signature" < "$work/head" > "$work/said" 2>&1 || { cat "$work/said"; exit 1; }
        verified=$((verified + 1))
    done
    [ "$(grep -c '^-----BEGIN SSH' "$work/entry")" = "$place" ] || { echo "entry $number: signatures missing"; exit 1; }
done

cmp "$work/head" "$known_head" || { echo "the log doesn't end with the known head"; exit 1; }
echo "$((number - 1)) entries and $verified signatures verified; the log ends with the known head"
