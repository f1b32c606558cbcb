#!/bin/sh
# Verifies a bundle of a keymuster log, without keymuster.
#
# usage: sh verify.sh [--heads FILE]... [--from N] [--to N] [BUNDLE]
#
# BUNDLE is the folder of the bundle; without it, the folder that this script is in. Better than
# that copy is one that didn't come with the bundle: keymuster's releases have the same file.
# --heads names a file with one or more heads that somebody kept elsewhere, three lines each; it
# may be repeated. --from and --to verify the signatures of some entries only, since each costs
# ssh-keygen about 10 ms; everything else is verified for all.
#
# It needs ssh-keygen of OpenSSH 8.2 or later, and awk, base64, cat, cmp, cut, fold, grep, head, mktemp, od, rm, sed,
# sha256sum, sort, tail, tr and wc, those of busybox being enough.
# Exit: 0 nothing is wrong, as far as it was verified; 1 something is; 2 it couldn't be verified.
#
# What it takes from the bundle is a file's bytes and nothing else: no name of a file there is
# ever made into a command, a path or output, but names that this script made up itself.
# The rules are those of rules/log-format.md. It doesn't check who had to sign, which key was valid where, how old
# slips were, what was due, nor in every respect how documents are written.

set -u
LC_ALL=C
export LC_ALL
umask 077
unset CDPATH
# What lies in the bundle is never run.
case :$PATH: in
  *::* | *:[!/]*)
    echo "verify.sh: PATH names a folder that doesn't begin with /" >&2
    exit 2
    ;;
esac
newline='
'

stop() {
  printf 'verify.sh: %s\n' "$1" >&2
  exit 2
}

usage() {
  stop "usage: sh verify.sh [--heads FILE]... [--from N] [--to N] [BUNDLE]"
}

is_number() {
  case $1 in '' | 0* | *[!0-9]*) return 1 ;; esac
  [ "${#1}" -le 9 ]
}

for tool in awk base64 cat cmp cut fold grep head mktemp od rm sed sha256sum sort ssh-keygen tail tr wc; do
  command -v "$tool" >/dev/null 2>&1 || stop "there is no $tool here, which this needs"
done

work=$(mktemp -d) || stop "couldn't make a temporary folder"
trap 'rm -rf "$work"' EXIT
trap 'exit 2' HUP INT PIPE TERM
: >"$work/outside"
: >"$work/signers"
: >"$work/links"
: >"$work/digests"
: >"$work/branches"
: >"$work/given-up"
: >"$work/links.rest"

# ---- What was asked for ------------------------------------------------------------------------

# The heads of a file, as lines of `vault number link name`. What paper and mail do to them doesn't
# matter: upper case, line ends of DOS, blanks around, empty lines, no last line end.
heads_of() {
  { [ -f "$1" ] && [ "$(wc -c <"$1")" -le 1048576 ]; } || stop "$1 isn't a file with heads"
  { tr 'A-F\r' 'a-f ' <"$1"; echo; } | sed 's/^ *//; s/ *$//; /^$/d' >"$work/given"
  [ -s "$work/given" ] || stop "$1 isn't a file with heads: it is empty"
  while IFS= read -r vault_line; do
    IFS= read -r number_line && IFS= read -r link_line || stop "$1: a head is three lines"
    case $vault_line in keymuster/*) ;; *) stop "$1: a head begins with keymuster/ and the vault's id" ;; esac
    is_hash "${vault_line#keymuster/}" 32 || stop "$1: the vault's id is 32 hex digits"
    is_number "$number_line" || stop "$1: the second line of a head is a number"
    is_hash "$link_line" 64 || stop "$1: the third line of a head is 64 hex digits"
    printf '%s %s %s %s\n' "${vault_line#keymuster/}" "$number_line" "$link_line" "$1" >>"$work/outside"
  done <"$work/given"
}

# Whether a text is that many lower-case hex digits.
is_hash() {
  case $1 in *[!0-9a-f]*) return 1 ;; esac
  [ "${#1}" -eq "$2" ]
}

first=1
last=999999
bundle=
while [ $# -gt 0 ]; do
  case $1 in
    --heads)
      [ $# -ge 2 ] || usage
      case $2 in *"$newline"*) stop "the name of a file with heads has a line break" ;; esac
      heads_of "$2"
      shift
      ;;
    --from)
      { [ $# -ge 2 ] && is_number "$2"; } || usage
      first=$2
      shift
      ;;
    --to)
      { [ $# -ge 2 ] && is_number "$2"; } || usage
      last=$2
      shift
      ;;
    -*) usage ;;
    *)
      [ -z "$bundle" ] || usage
      bundle=$1
      ;;
  esac
  shift
done
if [ -z "$bundle" ]; then
  bundle=${0%/*}
  [ "$bundle" != "$0" ] || bundle=.
fi
case $bundle in /*) ;; *) bundle=./$bundle ;; esac
cd "$bundle" 2>/dev/null || stop "the bundle can't be entered"

# ---- Verdicts ----------------------------------------------------------------------------------

number=0
shown=0
withheld=0
signatures=0
skipped=0
attached=0
named=0

faulty=
damaged=
last_shown=0
withheld_names=

# What is wrong with an entry, of which verdict, and the end: what comes after it counts for nothing.
fault() {
  printf 'FAULT in entry %s: %s\n' "$number" "$2"
  faulty=$1
  # The links go on as far as there are heads from outside, which are held against all that are listed.
  highest=$(cut -d' ' -f2 "$work/outside" | sort -n | tail -n 1)
  [ "${highest:-0}" -le "$count" ] || highest=$count
  head -n "${highest:-0}" "$work/list" | tail -n +"$number" >"$work/rest"
  while IFS= read -r listed; do
    link=$(printf '%s %s\n' "$link" "${listed%%  *}" | sha256_of)
    printf '%s\n' "$link" >>"$work/links.rest"
  done <"$work/rest"
  head -n "$((number - 1))" "$work/links" | cat - "$work/links.rest" >"$work/links.all"
  cat "$work/links.all" >"$work/links"
  number=$((number - 1))
  answer
  exit 1
}

# What is wrong with another file.
damage() {
  printf 'DAMAGE: %s\n' "$1"
  damaged=yes
}

say() {
  printf '%-13s %-12s %s\n' "$1" "$2" "$3"
}

# A file of the bundle, and no link, pipe or device.
is_plain() {
  [ -f "$1" ] && [ ! -L "$1" ]
}

is_there() {
  [ -e "$1" ] || [ -L "$1" ]
}

# A file's bytes, if there are no more than so many. Whatever its size, no more are read.
copy() {
  head -c "$(($2 + 1))" <"$1" >"$3" 2>/dev/null && [ "$(wc -c <"$3")" -le "$2" ]
}

sha256_of() {
  sum=$(sha256sum) || stop "sha256sum failed"
  printf '%s' "${sum%% *}"
}

# ---- Documents ---------------------------------------------------------------------------------

string='"([^"\\]|\\["\\])*"'
value="($string|0|-?[1-9][0-9]*|true|false|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)"
line_form="^\$|^\\[\\[event\\]\\]\$|^[a-z0-9_]+ = ($value|\\[($value(, $value)*)?\\])\$"

# Each line is what it looks like: no control characters, no string over several lines. So sed and a
# TOML parser read the same.
check_lines() {
  head -n 9 "$1" | awk 'length > 20000 { exit 1 }' || fault integrity "a line of its head is too long"
  tr -d '\000-\011\013-\037\177' <"$1" | cmp -s - "$1" ||
    fault integrity "it holds control characters"
  grep -Evq "$line_form" "$1"
  case $? in
    1) ;;
    0) fault integrity "it isn't written in the canonical form" ;;
    *) stop "grep failed on entry $number" ;;
  esac
  [ "$(tail -c 1 "$1" | wc -l)" -eq 1 ] || fault integrity "it doesn't end with a line break"
}

# The first nine lines of a document.
read_head() {
  l1= l2= l3= l4= l8= l9=
  {
    IFS= read -r l1 && IFS= read -r l2 && IFS= read -r l3 && IFS= read -r l4 &&
      IFS= read -r _time && IFS= read -r _salt && IFS= read -r _tool && IFS= read -r l8 &&
      IFS= read -r l9
  } <"$1" || fault integrity "it is too short"
  [ "$l1" = "format = 1" ] || fault integrity "it isn't of format 1"
}

# What stands in those of an entry.
check_place() {
  [ "$l2" = "vault = \"$vault\"" ] || fault integrity "it belongs to another vault"
  [ "$l3" = "number = $number" ] || fault integrity "it says that it has another number"
  [ "$l4" = "previous = \"$link\"" ] ||
    fault integrity "it doesn't follow the entry before it, which was changed or replaced"
}

# A copy of an entry's slip, or of its document, that has the digest it should have.
take_document() {
  is_plain "$1" || fault integrity "$3 is missing, or isn't a plain file"
  # Whatever happens to the file meanwhile, one text is verified.
  copy "$1" "$room" "$4" || fault integrity "$3 can't be read, or is too large"
  [ "$(sha256_of <"$4")" = "$2" ] || fault integrity "$3 isn't the document that is listed"
  room=$((room - $(wc -c <"$4")))
  check_lines "$4"
  read_head "$4"
  # An entry that gave way names slips of its own.
  [ "$l9" = "slips = []" ] || {
    names_in slips "$l9" >"$work/names"
    [ -s "$work/names" ] && [ "$(wc -l <"$work/names")" -le 256 ] &&
      ! grep -Evq '^[0-9a-f]{64}$' "$work/names" || fault integrity "$3 isn't written in the canonical form"
  }
}

# The slips that an entry names, by their digests: copies of their documents, in $work/slip.1 and so on.
take_slips() {
  if [ "$l9" = "slips = []" ]; then
    : >"$work/slips"
    return
  fi
  names_in 'slips' "$l9" >"$work/slips"
  [ -s "$work/slips" ] || fault integrity "it isn't written in the canonical form"
  [ "$(wc -l <"$work/slips")" -le 256 ] || fault integrity "it names more than 256 slips"
  [ ! -L slips ] || fault integrity "slips isn't a plain folder"
  slip=0
  while IFS= read -r digest; do
    slip=$((slip + 1))
    is_hash "$digest" 64 || fault integrity "it isn't written in the canonical form"
    take_document "slips/$digest.toml" "$digest" "slip $slip of it" "$work/slip.$slip"
  done <"$work/slips"
}

# Where the slips of an entry belong, as lines of `digest number link` of the head that they make.
place_slips() {
  slip=0
  : >"$work/placed"
  while IFS= read -r digest; do
    slip=$((slip + 1))
    read_head "$work/slip.$slip"
    [ "$l2" = "vault = \"$vault\"" ] || fault authority "slip $slip belongs to another vault"
    at=${l3#"number = "} previous=${l4#'previous = "'} previous=${previous%'"'}
    { is_number "$at" && [ "$at" -ge 2 ] && is_hash "$previous" 64; } ||
      fault authority "slip $slip follows no entry of this log"
    if ! { [ "$at" -le "$number" ] && [ "$(sed -n "$((at - 1))p" "$work/links")" = "$previous" ]; } &&
      ! grep -q "^$previous $((at - 1))\$" "$work/branches"; then
      # It may follow a slip of an entry that is withheld.
      [ "$withheld" -gt 0 ] && [ "$previous" != "$link0" ] &&
        ! head -n "$((number - 1))" "$work/links" | grep -qx "$previous" &&
        ! grep -q "^$previous " "$work/branches" && ! grep -qx "$previous" "$work/given-up" ||
        fault authority "slip $slip follows no entry of this log"
    fi
    made=$(printf '%s %s\n' "$previous" "$digest" | sha256_of)
    if { [ "$at" -lt "$number" ] && [ "$(sed -n "${at}p" "$work/links")" = "$made" ]; } ||
      grep -q "^$made " "$work/branches" || grep -qx "$made" "$work/given-up"; then
      fault authority "slip $slip is part of this log already, or was given up"
    fi
    printf '%s %s\n' "$made" "$at" >>"$work/branches"
    printf '%s %s %s\n' "$digest" "$at" "$made" >>"$work/placed"
  done <"$work/slips"
}

# What an entry gives up is never admitted.
give_up() {
  awk '
    /^\[\[/ { gives = 0 }
    $0 == "kind = \"head-abandoned\"" { gives = 1 }
    gives && /^number = / { number = substr($0, 10) }
    gives && /^link = "/ { print number " " substr($0, 9, length($0) - 9) }
  ' "$1" >"$work/gives-up"
  while IFS=' ' read -r at made; do
    is_hash "$made" 64 || fault integrity "it isn't written in the canonical form"
    if { is_number "$at" && [ "$at" -le "$number" ] && [ "$(sed -n "${at}p" "$work/links")" = "$made" ]; } ||
      grep -q "^$made " "$work/branches" || grep -qx "$made" "$work/given-up"; then
      fault authority "it gives up what is part of this log, or was given up before"
    fi
    printf '%s\n' "$made" >>"$work/given-up"
  done <"$work/gives-up"
}

# What its events say of a PIN or fingerprint, in their order.
policy_of() {
  awk '
    /^\[\[/ { says = 0 }
    $0 == "kind = \"vault-created\"" || $0 == "kind = \"policy-changed\"" { says = 1 }
    says && /^user_verification = "/ { print substr($0, 22, length($0) - 22) }
  ' "$1"
}

# The digests of the attachments that its events name.
attached_to() {
  awk '
    /^\[\[/ { names = 0 }
    $0 == "kind = \"runbook-adopted\"" || $0 == "kind = \"evidence-kept\"" { names = 1 }
    names && /^sha256 = "/ { print substr($0, 11, length($0) - 11) }
  ' "$1"
}

is_handle() {
  case $1 in '' | -* | *[!0-9a-z-]*) return 1 ;; esac
  [ "${#1}" -le 32 ]
}

is_key_name() {
  is_handle "${1%%/*}" && is_handle "${1#*/}" && [ "${1%%/*}/${1#*/}" = "$1" ]
}

# ---- Keys --------------------------------------------------------------------------------------

# The keys that an entry enrols, as lines of `name type key`.
enrolled_by() {
  awk '
    /^\[\[/ { enrols = 0; name = "" }
    $0 == "kind = \"key-enrolled\"" { enrols = 1 }
    enrols && /^key = "/ { name = substr($0, 8, length($0) - 8) }
    enrols && /^public_key = "/ { print name " " substr($0, 15, length($0) - 15) }
  ' "$1"
}

# Enrols them: from here on their signatures are known.
enrol() {
  enrolled_by "$1" >"$work/enrolled"
  [ "$(wc -l <"$work/enrolled")" -le 256 ] || fault authority "it enrols more keys than can sign it"
  while IFS=' ' read -r name kind key rest; do
    is_key_name "$name" || fault authority "it enrols a key without a name"
    case $kind in
      sk-ssh-ed25519@openssh.com | sk-ecdsa-sha2-nistp256@openssh.com) ;;
      *) fault authority "it enrols a key of another type" ;;
    esac
    case $key in '' | *[!A-Za-z0-9+/=]*) fault authority "it enrols a key that is damaged" ;; esac
    [ -z "$rest" ] || fault authority "it enrols a key that is damaged"
    if grep -q "^$name namespaces=" "$work/signers"; then
      fault authority "it enrols a key under a name that was used"
    fi
    printf '%s namespaces="%s,%s" %s %s\n' "$name" "$of_heads" "$of_slips" "$kind" "$key" >>"$work/signers"
  done <"$work/enrolled"
}

# ---- Signatures --------------------------------------------------------------------------------

# Bytes as hex, taken from the front: `take 4` leaves them in $taken and the rest in $hex.
take() {
  [ "${#hex}" -ge $(($1 * 2)) ] || return 1
  taken=$(printf "%.$(($1 * 2))s" "$hex")
  hex=${hex#"$taken"}
}

take_string() {
  take 4 || return 1
  take "$((0x$taken))"
}

text_as_hex() {
  printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n'
}

# A number greater than 0, as short as it can be written.
is_number_in_short() {
  [ "${#1}" -ge 2 ] && [ "${#1}" -le 66 ] || return 1
  case $1 in 00[89a-f]?*) ;; 00* | [89a-f]*) return 1 ;; esac
}

# The seven y of the points of order 8 or less, whatever the sign of x.
is_of_small_order() {
  low=${1%??} top=${1#"${1%??}"}
  point=$low$(printf '%02x' $((0x$top & 0x7f)))
  zeros=00000000000000000000000000000000000000000000000000000000000000
  ones=ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
  case $point in
    "${zeros}00" | "01$zeros" | "ec${ones}7f" | "ed${ones}7f" | "ee${ones}7f") ;;
    26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05) ;;
    c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a) ;;
    *) return 1 ;;
  esac
}

# The text around a signature, in lines of 70 columns, and nothing else.
check_armor() {
  {
    echo "-----BEGIN SSH SIGNATURE-----"
    sed '1d;$d' "$1" | base64 -d 2>/dev/null | base64 | tr -d '\n' | fold -w 70
    echo
    echo "-----END SSH SIGNATURE-----"
  } | cmp -s - "$1"
}

# What ssh-keygen doesn't look at: that the signature is a security key's, of the right application,
# and that somebody touched the key and, where they had to, gave its PIN or fingerprint.
check_flags() {
  hex=$(sed '1d;$d' "$1" | base64 -d 2>/dev/null | od -An -v -tx1 | tr -d ' \n')
  take 10 && [ "$taken" = 53534853494700000001 ] && take_string && public=$taken &&
    take_string && [ "$taken" = "$(text_as_hex "$namespace")" ] &&
    take_string && [ -z "$taken" ] && take_string && [ "$taken" = "$(text_as_hex sha512)" ] &&
    take_string && [ -z "$hex" ] &&
    hex=$taken && take_string && inner=$taken && take_string && numbers=$taken && take 1 && flags=$((0x$taken)) &&
    take 4 && [ -z "$hex" ] || return 1
  hex=$public
  take_string && [ "$taken" = "$inner" ] || return 1
  case $inner in
    "$ed25519")
      # Not a point of small order, as which everybody could sign; and S below the order of the group.
      take_string && ! is_of_small_order "$taken" || return 1
      case $numbers in ??????????????????????????????????????????????????????????????????????????????????????????????????????????????????????????????0?) ;; *) return 1 ;; esac
      ;;
    "$ecdsa")
      take_string && take_string || return 1
      public=$hex hex=$numbers
      take_string && is_number_in_short "$taken" && take_string && is_number_in_short "$taken" &&
        [ -z "$hex" ] || return 1
      hex=$public
      ;;
    *) return 1 ;;
  esac
  take_string && [ -z "$hex" ] || return 1
  [ "$taken" = "$application" ] || fault authorship "$signer signed for another application"
  [ $((flags & 0xc0)) -eq 0 ] || return 1
  [ $((flags & 1)) -ne 0 ] || fault authorship "nobody touched $signer for its signature"
  [ "$verification" = waived ] || [ $((flags & 4)) -ne 0 ] ||
    fault authorship "$signer signed without a PIN or fingerprint"
}

ed25519=$(text_as_hex sk-ssh-ed25519@openssh.com)
ecdsa=$(text_as_hex sk-ecdsa-sha2-nistp256@openssh.com)

# The strings that a line `NAME = ["…", "…"]` names, one a line; nothing where it is another line.
names_in() {
  case $2 in "$1 = [\""*'"]') ;; *) return ;; esac
  names=${2#"$1 = [\""}
  names=${names%'"]'}
  while :; do
    case $names in
      *'", "'*)
        printf '%s\n' "${names%%'", "'*}"
        names=${names#*'", "'}
        ;;
      *)
        printf '%s\n' "$names"
        return
        ;;
    esac
  done
}

# The signers that a document names. Of every entry but the first one at least had its key before: no row of
# "Who must sign" is content with keys that the entry enrols itself. A slip may be signed by those alone.
read_signers() {
  names_in signers "$l8" >"$work/named"
  [ -s "$work/named" ] || fault authority "nobody signed it"
  [ "$(wc -l <"$work/named")" -le 256 ] || fault integrity "it names more than 256 signers"
  known=
  while IFS= read -r signer; do
    is_key_name "$signer" || fault integrity "it isn't written in the canonical form"
    ! grep -q "^$signer namespaces=" "$work/before" || known=yes
  done <"$work/named"
}

# The namespace of a slip's signatures: that of heads, if the first one is of that.
namespace_of() {
  namespace=$of_slips
  IFS= read -r signer <"$work/named" || return 0
  signature=$1.${signer%%/*}.${signer#*/}.sig
  is_plain "$signature" && copy "$signature" 4096 "$work/signature" || return 0
  hex=$(sed '1d;$d' "$work/signature" | base64 -d 2>/dev/null | od -An -v -tx1 | tr -d ' \n')
  if take 10 && take_string && take_string && [ "$taken" = "$(text_as_hex "$of_heads")" ]; then
    namespace=$of_heads
  fi
}

# The signatures of those in $work/named over a head, which lie beside a document of this name.
verify_signatures() {
  printf 'keymuster/%s\n%s\n%s\n' "$vault" "$2" "$3" >"$work/head"
  while IFS= read -r signer; do
    signature=$1.${signer%%/*}.${signer#*/}.sig
    is_plain "$signature" || fault authorship "the signature of $signer is missing"
    # Whatever happens to the file meanwhile, one text is verified.
    copy "$signature" 4096 "$work/signature" || fault authorship "the signature of $signer is too long"
    ssh-keygen -Y verify -f "$work/signers" -I "$signer" -n "$namespace" -s "$work/signature" \
      <"$work/head" >/dev/null 2>&1 ||
      fault authorship "the signature of $signer isn't genuine: the entry was changed, or another key signed"
    check_armor "$work/signature" || fault authorship "the signature of $signer is damaged"
    check_flags "$work/signature" || fault authorship "the signature of $signer is damaged"
    signatures=$((signatures + 1))
  done <"$work/named"
}

# ---- The answer --------------------------------------------------------------------------------

# Heads from outside, held against the links: sets $against, or $anchor and $anchored_by.
compare_heads() {
  anchor=0 against= anchored_by=
  while IFS=' ' read -r _ at kept by; do
    if [ "$at" -gt "$count" ]; then
      against="$by has the head of entry $at, and the bundle ends at entry $count: its tail was cut off"
    elif [ "$(sed -n "${at}p" "$work/links")" != "$kept" ]; then
      against="$by has another head of entry $at (or it was mistyped)"
    elif [ "$at" -ge "$anchor" ]; then
      anchor=$at anchored_by=$by
    fi
    [ -z "$against" ] || return 0
  done <"$work/outside"
}

answer() {
  word=YES
  [ "$withheld" -eq 0 ] || word=PARTIAL
  if [ "$faulty" = integrity ] || [ -n "$damaged" ]; then
    say integrity NO "see above"
  elif [ -n "$faulty" ]; then
    say integrity UNJUDGED "beyond entry $number"
  else
    say integrity "$word" "$shown entries as they were written, each following the one before"
  fi
  if [ "$withheld" -gt 0 ]; then
    say '' '' "withheld, with their digests alone:$withheld_names"
  fi
  if [ -z "$faulty" ] && [ "$last_shown" -lt "$count" ]; then
    say '' '' "nobody's signature is shown for what comes after entry $last_shown"
  fi
  if [ -z "$faulty" ] && [ "$named" -gt 0 ]; then
    say '' '' "attachments that the entries name: $named; of these here, as they were: $attached"
  fi
  [ "$skipped" -eq 0 ] || word=PARTIAL
  if [ "$faulty" = authorship ]; then
    say authorship NO "see above"
  elif [ -n "$faulty" ]; then
    say authorship UNJUDGED "beyond entry $number"
  else
    say authorship "$word" "$signatures signatures, each after a touch of an enrolled key"
    [ "$skipped" -eq 0 ] || say '' '' "those of $skipped entries weren't verified, as asked"
  fi
  if [ "$faulty" = authority ]; then
    say authority NO "see above"
  else
    say authority UNJUDGED "who had to sign what isn't checked here, nor which key was valid where"
  fi
  compare_heads
  if [ -n "$against" ]; then
    say completeness CONTRADICTED "$against"
  elif [ "$anchor" -gt 0 ]; then
    say completeness ANCHORED "at entry $anchor of $count, by $anchored_by"
  else
    say completeness UNANCHORED "a tail that was cut off shows only against a head from elsewhere: --heads"
  fi
  say coverage UNJUDGED "what was due, and whether it was done, isn't checked here"
}

# ---- The entries -------------------------------------------------------------------------------

is_plain entries.sha256 || stop "this isn't a bundle: there is no list entries.sha256"
copy entries.sha256 85999914 "$work/list" || stop "entries.sha256 can't be read, or is too large"
count=$(wc -l <"$work/list")
# Each line has 64 digits, two blanks, a name of 19 letters and a line break.
{
  [ "$count" -ge 1 ] && [ "$count" -le 999999 ] && [ "$(wc -c <"$work/list")" -eq $((count * 86)) ] &&
    ! grep -Evq '^[0-9a-f]{64}  entries/[0-9]{6}\.toml$' "$work/list" &&
    awk '$2 != sprintf("entries/%06d.toml", NR) { exit 1 }' "$work/list"
} || stop "this isn't a bundle: entries.sha256 isn't a list of entries"
is_plain entries/000001.toml && [ ! -L entries ] ||
  stop "this isn't a bundle: entry 1 is missing, without which nothing is known of the vault"
vault=$(head -c 200 <entries/000001.toml | sed -n '2{s/^vault = "\([0-9a-f]*\)"$/\1/p;q;}')
is_hash "$vault" 32 || stop "this isn't a bundle: entry 1 names no vault"
link=$(printf 'keymuster/%s\n' "$vault" | sha256_of)
link0=$link
while IFS=' ' read -r of _ _ by; do
  [ "$of" = "$vault" ] || stop "$by has the head of another vault"
done <"$work/outside"

while IFS= read -r listed; do
  number=$((number + 1))
  place=$(printf '%06d' "$number")
  document=entries/$place.toml
  digest=${listed%%  *}
  next=$(printf '%s %s\n' "$link" "$digest" | sha256_of)
  printf '%s\n' "$next" >>"$work/links"
  if ! is_there "$document"; then
    withheld=$((withheld + 1))
    [ "${#withheld_names}" -gt 60 ] || withheld_names="$withheld_names $number"
    [ "${#withheld_names}" -le 60 ] || withheld_names="${withheld_names%%" and more"} and more"
    link=$next
    continue
  fi
  room=33554432
  take_document "$document" "$digest" "its document" "$work/document"
  check_place
  take_slips
  place_slips
  if [ "$number" -eq 1 ]; then
    of_heads=keymuster-head of_slips=keymuster-slip application=$(text_as_hex ssh:keymuster)
    if grep -qx 'demo = true' "$work/document"; then
      of_heads=keymuster-demo of_slips=keymuster-demo-slip application=$(text_as_hex ssh:keymuster-demo)
      echo "DEMO: this vault was made to try things with. Its keys are software and prove nothing."
    fi
    verification=$(policy_of "$work/document" | sed -n 1p)
  fi
  cat "$work/signers" >"$work/before"
  # The documents of an entry in the order in which they happen.
  : >"$work/documents"
  slip=0
  while IFS= read -r _; do
    slip=$((slip + 1))
    echo "$work/slip.$slip" >>"$work/documents"
  done <"$work/slips"
  echo "$work/document" >>"$work/documents"
  while IFS= read -r one; do
    enrol "$one"
  done <"$work/documents"
  read_head "$work/document"
  read_signers
  [ "$number" -eq 1 ] || [ -n "$known" ] ||
    fault authority "it is signed by no key that was enrolled before it"
  if [ "$number" -ge "$first" ] && [ "$number" -le "$last" ]; then
    namespace=$of_heads
    verify_signatures "entries/$place" "$number" "$next"
    slip=0
    while IFS=' ' read -r digest at made; do
      slip=$((slip + 1))
      read_head "$work/slip.$slip"
      read_signers
      namespace_of "slips/$digest"
      verify_signatures "slips/$digest" "$at" "$made"
    done <"$work/placed"
  else
    skipped=$((skipped + 1))
  fi
  while IFS= read -r one; do
    give_up "$one"
    changed=$(policy_of "$one" | sed -n '$p')
    verification=${changed:-$verification}
    attached_to "$one" >>"$work/digests"
  done <"$work/documents"
  shown=$((shown + 1)) last_shown=$number
  link=$next
done <"$work/list"

# ---- What else is there ------------------------------------------------------------------------

if is_there allowed_signers; then
  { is_plain allowed_signers && cmp -s allowed_signers "$work/signers"; } ||
    damage "allowed_signers doesn't hold the keys that the entries enrol"
fi
sort -u "$work/digests" >"$work/named"
named=$(wc -l <"$work/named")
while IFS= read -r digest; do
  is_hash "$digest" 64 && is_there "attachments/$digest" || continue
  if [ ! -L attachments ] && is_plain "attachments/$digest" &&
    copy "attachments/$digest" 33554432 "$work/attachment" &&
    [ "$(sha256_of <"$work/attachment")" = "$digest" ]; then
    attached=$((attached + 1))
  else
    damage "attachments/$digest was changed or replaced"
  fi
done <"$work/named"

answer
printf 'This ends with entry %s, head\n%s\n' "$number" "$link"
[ -z "$against" ] && [ -z "$damaged" ]
