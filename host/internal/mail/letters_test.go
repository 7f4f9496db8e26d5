package mail

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/syncer"
)

// kinds are what people are mailed about.
var kinds = []string{
	syncer.MailSyncDisabled, syncer.MailChangeRefused, syncer.MailChangeRejected, syncer.MailBookingCancelled,
	syncer.MailRoomDeclined, syncer.MailRoomCancelled, syncer.MailRoomConflict,
}

func load(t *testing.T, m config.Mail) *Letters {
	t.Helper()
	l, err := LoadLetters(m)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// own makes a folder with a letter of one's own.
func own(t *testing.T, name, text string) (dir, file string) {
	t.Helper()
	dir = t.TempDir()
	file = filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, file
}

func TestEveryTroubleHasALetterInEveryLanguage(t *testing.T) {
	t.Parallel()
	english := load(t, config.Mail{})
	for _, language := range []string{config.English, config.German} {
		l := load(t, config.Mail{Language: language})
		if !slices.Equal(l.Names(), english.Names()) {
			t.Errorf("%s has the letters %v, English has %v", language, l.Names(), english.Names())
		}
		for _, kind := range kinds {
			if name := strings.ReplaceAll(kind, " ", "-"); !slices.Contains(l.Names(), name) {
				t.Errorf("%s has no letter %s.txt", language, name)
			}
			with := l.Sample()
			with.Kind = kind
			subject, body, err := l.Write(with)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(subject, "{{") || !strings.Contains(body, with.Time) || !strings.Contains(body, with.Booking+"\n") || !strings.Contains(body, with.Rooms) {
				t.Errorf("%s %s:\n%s\n%s", language, kind, subject, body)
			}
			for line := range strings.Lines(body) {
				if n := len([]rune(line)); n > 78 && !strings.HasPrefix(line, " ") {
					t.Errorf("%s %s has a line of %d characters: %q", language, kind, n, line)
				}
			}
		}
	}
}

func TestGermanLetter(t *testing.T) {
	t.Parallel()
	l := load(t, config.Mail{Language: config.German})
	subject, body, err := l.Write(l.Sample())
	if err != nil || subject != "Ihre Buchung vom 1. Dezember 2026 wird nicht mehr mit Ihrem Kalender abgeglichen" {
		t.Errorf("%q, %v", subject, err)
	}
	const want = `Guten Tag Alice Adams

Diese Buchung und ihr Termin in Ihrem Kalender werden nicht mehr gleich
gehalten. Beide bleiben, wie sie jetzt sind.

  Buchung: b-4711
  Zeit:    Dienstag, 1. Dezember 2026, 10:00 bis 11:00 (Europe/Zurich)
  Räume:   Room A

Grund: ein Raum ist zu dieser Zeit durch eine andere Buchung belegt.

Was Sie tun können: Sehen Sie sich beide an. Sagt die Buchung, was Sie
wollen, dann speichern Sie sie im Buchungssystem noch einmal: Damit wird sie
wieder abgeglichen. Geschieht es erneut, wenden Sie sich an Ihren
Administrator.

-- 
Gesendet von Roomwire, das Buchungen und Kalender gleich hält, weil Sie über
solche Vorfälle unterrichtet werden möchten. Ihr Administrator kann diese
Mails abschalten.
`
	if body != want {
		t.Errorf("body:\n%s", body)
	}
}

func TestReasonsInOtherWords(t *testing.T) {
	t.Parallel()
	l := load(t, config.Mail{Language: config.German})
	for why, want := range map[string]string{
		"a resource is taken at that time by another booking": "ein Raum ist zu dieser Zeit durch eine andere Buchung belegt",
		"a resource is taken at that time by another booking, at 2026-12-03 09:00 UTC (room-a)": "ein Raum ist zu dieser Zeit durch eine andere Buchung belegt, " +
			"nämlich 2026-12-03 09:00 UTC (room-a)",
		"the room Room A is taken by another booking at the time of your meeting, 2026-12-01 10:00 (Europe/Berlin)": "der Raum Room A ist zur Zeit Ihrer " +
			"Besprechung durch eine andere Buchung belegt, 2026-12-01 10:00 (Europe/Berlin)",
		"the room Room A is taken by another booking on 2026-12-08, 2026-12-15": "der Raum Room A ist durch eine andere Buchung belegt am 2026-12-08, 2026-12-15",
		"a resource is taken at that time by another booking; the item was reset 5 times and changed again": "ein Raum ist zu dieser Zeit durch eine andere Buchung belegt; " +
			"der Termin wurde 5 Mal zurückgesetzt und wieder geändert",
		"the server said no": "the server said no",
	} {
		if got := l.inOtherWords(why, 0); got != want {
			t.Errorf("%q is %q, want %q", why, got, want)
		}
	}
}

func TestLetterOfOnesOwnGoesBefore(t *testing.T) {
	t.Parallel()
	dir, _ := own(t, "de/sync-disabled.txt", "\ufeff{{template \"subject\" .}} steht still\r\n\r\nHallo {{.Name}}\r\n{{template \"details\" .}}\r\n")
	l := load(t, config.Mail{Language: config.German, Templates: dir})
	subject, body, err := l.Write(l.Sample())
	if err != nil || subject != "Ihre Buchung vom 1. Dezember 2026 steht still" || !strings.HasPrefix(body, "Hallo Alice Adams\n\n  Buchung: b-4711\n") {
		t.Errorf("%q %v\n%s", subject, err, body)
	}
	other := l.Sample()
	other.Kind = syncer.MailBookingCancelled
	if subject, _, err := l.Write(other); err != nil || !strings.HasSuffix(subject, "wurde storniert") {
		t.Errorf("the built-in letter is %q, %v", subject, err)
	}
	if english := load(t, config.Mail{Templates: dir}); english.language != config.English {
		t.Error("the letter of another language was taken")
	}
}

func TestFaultyLetterIsToldWithItsLine(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ file, text, want string }{
		"unclosed":        {"en/sync-disabled.txt", "Subject\n\n{{.Name\n", ":3"},
		"no such field":   {"en/sync-disabled.txt", "Subject\n\n{{.Title}}\n", ":3:2"},
		"no such part":    {"en/sync-disabled.txt", "Subject\n{{template \"title\" .}}\n", ":2:"},
		"without subject": {"en/sync-disabled.txt", "\n\n", "the subject, is empty"},
		"without text":    {"en/other.txt", "Subject\n", "says nothing"},
		"frame":           {"en/frame.txt", "{{define \"foot\"}}", ":1"},
		"reasons":         {"en/reasons.txt", "# words\nit is * = it was\n", ":2:"},
		"too long":        {"en/reasons.txt", strings.Repeat("#", maxTemplate+1), "more than"},
	} {
		dir, file := own(t, tc.file, tc.text)
		_, err := LoadLetters(config.Mail{Templates: dir})
		if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestExportLeavesWhatIsThere(t *testing.T) {
	t.Parallel()
	dir, file := own(t, "en/sync-disabled.txt", "Mine\n\nMine\n")
	written, kept, err := ExportLetters(dir)
	if err != nil || len(written) != 19 || !slices.Equal(kept, []string{file}) {
		t.Errorf("%v, %v, %v", written, kept, err)
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "Mine\n\nMine\n" {
		t.Errorf("%q, %v", data, err)
	}
	load(t, config.Mail{Templates: dir})
	load(t, config.Mail{Templates: dir, Language: config.German})
}
