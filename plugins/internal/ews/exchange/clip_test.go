package exchange

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLongTextsAreClippedBetweenCharacters(t *testing.T) {
	t.Parallel()
	short := strings.Repeat("ü", maxBody/2)
	if got := clipped(short); got != short {
		t.Errorf("a text of %d bytes was clipped to %d", len(short), len(got))
	}
	long := clipped("x" + strings.Repeat("ü", maxBody))
	if len(long) > maxBody || len(long) < maxBody-utf8.UTFMax || !utf8.ValidString(long) {
		t.Errorf("clipped to %d bytes, valid: %v", len(long), utf8.ValidString(long))
	}
}
