#!/bin/sh
# Checks the configuration in this folder (what is wrong, where, and what to do)
# and has the running Roomwire take it over, without a restart. Ends with 0 when
# it is in force.
#
#   configs/config.sh            roomwire is searched for beside this folder,
#   ROOMWIRE=/opt/roomwire configs/config.sh    or named, or found in PATH

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1

roomwire=${ROOMWIRE:-}
if [ -z "$roomwire" ]; then
	for candidate in "$here/roomwire" "$here/../roomwire" "$here/../bin/roomwire"; do
		if [ -f "$candidate" ] && [ -x "$candidate" ]; then
			roomwire=$candidate
			break
		fi
	done
fi
if [ -z "$roomwire" ]; then
	roomwire=$(command -v roomwire) || {
		echo "roomwire was not found beside $here or in PATH." >&2
		echo "Name it: ROOMWIRE=/path/to/roomwire $0" >&2
		exit 127
	}
fi

echo "Applying $here"
"$roomwire" config apply --config "$here" "$@"
code=$?
if [ "$code" -ne 0 ]; then
	echo "The configuration is not in force: correct what is named above, then run this again." >&2
fi
exit "$code"
