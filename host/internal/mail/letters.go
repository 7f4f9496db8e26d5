package mail

import (
	"bufio"
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/config"
)

//go:embed templates
var builtIn embed.FS

// Files of a language beside the letters.
const (
	frameFile   = "frame.txt"   // what the letters share
	reasonsFile = "reasons.txt" // why things happened, in the letters' words
	otherLetter = "other"       // for trouble that has no letter of its own
)

// maxTemplate bounds a file, in bytes.
const maxTemplate = 256 << 10

// A Letter is what is put into a letter's template. It does not hold the booking's title: mails are read by deputies and stored
// by every server on their way, and time and rooms tell the organizer well enough which booking it is.
type Letter struct {
	Name    string // of the person
	Booking string // id; empty if the trouble is about a meeting that is not booked
	Day     string // of the booking, short; empty if it is gone, as is Time
	Time    string // in full, on the booking's wall clock
	Rooms   string // names, separated by commas; may be empty
	Why     string // without the point at its end
	Kind    string // of trouble, e.g. "sync disabled"
}

// text is what a mail says.
type text struct{ subject, body string }

// Letters are the texts of mails in one language. They are immutable.
type Letters struct {
	language string
	byName   map[string]*template.Template
	reasons  []reason
}

// A reason says in other words why something happened.
type reason struct {
	said  *regexp.Regexp
	words []string // around what differs
}

// LoadLetters returns the letters that the settings ask for: the built-in ones of the language, each of which gives way to the file
// of its name in the folder DIR/LANGUAGE. Its error names the file and the line.
func LoadLetters(m config.Mail) (*Letters, error) {
	l := &Letters{language: m.Language, byName: map[string]*template.Template{}}
	if l.language == "" {
		l.language = config.English
	}
	names, err := fs.ReadDir(builtIn, path.Join("templates", l.language))
	if err != nil {
		return nil, fmt.Errorf("there are no letters in the language %q: %w", l.language, err)
	}
	files := map[string]source{}
	for _, n := range names {
		if files[n.Name()], err = l.find(m.Templates, n.Name()); err != nil {
			return nil, err
		}
	}
	frame, err := files[frameFile].parse(template.New("").Option("missingkey=error"))
	if err != nil {
		return nil, err
	}
	for name, f := range files {
		switch name {
		case frameFile:
		case reasonsFile:
			if l.reasons, err = f.reasons(); err != nil {
				return nil, err
			}
		default:
			if err := l.add(frame, f, strings.TrimSuffix(name, ".txt")); err != nil {
				return nil, err
			}
		}
	}
	return l, nil
}

// add takes a letter in, if it can be written to somebody.
func (l *Letters) add(frame *template.Template, f source, name string) error {
	own, err := frame.Clone()
	if err != nil {
		return err
	}
	if l.byName[name], err = f.parse(own); err != nil {
		return err
	}
	for _, try := range []Letter{l.Sample(), {}} { // a booking that is gone leaves much of it empty
		if _, err := l.write(name, try); err != nil {
			return fmt.Errorf("letter %s: %w", f.path, err)
		}
	}
	return nil
}

// Sample returns a letter's content that nobody is mailed: for trying letters out.
func (l *Letters) Sample() Letter {
	start := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	b := &booking.Booking{Start: start, End: start.Add(time.Hour), Zone: "Europe/Zurich"}
	say := calendars[l.language]
	return Letter{
		Name: "Alice Adams", Booking: "b-4711", Day: say.date(local(b, start)), Time: say.when(b), Rooms: "Room A",
		Why: "a resource is taken at that time by another booking", Kind: "sync disabled",
	}
}

// Names returns the letters there are, sorted.
func (l *Letters) Names() []string {
	var names []string
	for name := range l.byName {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Write returns the subject and the body of a mail about trouble of a kind.
func (l *Letters) Write(with Letter) (subject, body string, err error) {
	name := strings.ReplaceAll(with.Kind, " ", "-")
	if l.byName[name] == nil {
		name = otherLetter
	}
	with.Why = l.inOtherWords(strings.TrimSuffix(with.Why, "."), 0)
	t, err := l.write(name, with)
	return t.subject, t.body, err
}

func (l *Letters) write(name string, with Letter) (text, error) {
	for _, s := range []*string{&with.Name, &with.Booking, &with.Day, &with.Time, &with.Rooms, &with.Why, &with.Kind} {
		*s = plain(*s)
	}
	var out bytes.Buffer
	if err := l.byName[name].Execute(&out, with); err != nil {
		return text{}, err
	}
	subject, body, _ := strings.Cut(strings.TrimLeft(out.String(), "\r\n"), "\n")
	if subject = strings.TrimSpace(subject); subject == "" {
		return text{}, errors.New("its first line, the subject, is empty")
	}
	if strings.TrimSpace(body) == "" {
		return text{}, errors.New("it says nothing after its first line, the subject")
	}
	return text{subject: subject, body: paragraphs(body)}, nil
}

// inOtherWords says why something happened as the language has it; what it does not know it leaves.
func (l *Letters) inOtherWords(why string, depth int) string {
	const deepest = 4
	for _, r := range l.reasons {
		parts := r.said.FindStringSubmatch(why)
		if parts == nil || depth == deepest {
			continue
		}
		var out strings.Builder
		for i, words := range r.words {
			if out.WriteString(words); i+1 < len(parts) && i+1 < len(r.words) {
				out.WriteString(l.inOtherWords(parts[i+1], depth+1))
			}
		}
		return out.String()
	}
	return why
}

// A source is the text of a file and where it is.
type source struct{ path, text string }

// find returns an administrator's file, or the built-in one.
func (l *Letters) find(dir, name string) (source, error) {
	if dir != "" {
		own := filepath.Join(dir, l.language, name)
		data, err := readBounded(own)
		if err == nil {
			return source{own, string(data)}, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return source{}, fmt.Errorf("letter: %w", err)
		}
	}
	data, err := builtIn.ReadFile(path.Join("templates", l.language, name))
	return source{name, string(data)}, err
}

func readBounded(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxTemplate {
		return nil, fmt.Errorf("%s has more than %d bytes", file, maxTemplate)
	}
	return os.ReadFile(file)
}

func (f source) parse(into *template.Template) (*template.Template, error) {
	t, err := into.New(f.path).Parse(strings.TrimPrefix(strings.ReplaceAll(f.text, "\r\n", "\n"), "\ufeff"))
	if err != nil {
		return nil, fmt.Errorf("letter %w", err) // "template: FILE:LINE: …"
	}
	return t, nil
}

func (f source) reasons() (all []reason, err error) {
	lines := bufio.NewScanner(strings.NewReader(strings.TrimPrefix(f.text, "\ufeff")))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		said, words, ok := strings.Cut(line, " = ")
		if !ok || strings.Count(said, "*") != strings.Count(words, "*") {
			return nil, fmt.Errorf("letter: %s:%d: a line is \"as it is said = in other words\", with as many * on either side", f.path, n)
		}
		pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(said)), `\*`, "(.*)")
		re, err := regexp.Compile("^" + pattern + "$")
		if err != nil {
			return nil, fmt.Errorf("letter: %s:%d: %w", f.path, n, err)
		}
		all = append(all, reason{said: re, words: strings.Split(strings.TrimSpace(words), "*")})
	}
	return all, lines.Err()
}

// ExportLetters writes the built-in letters of all languages into a folder, where they can be edited. Files that are there stay as
// they are; they are returned as kept.
func ExportLetters(dir string) (written, kept []string, err error) {
	err = fs.WalkDir(builtIn, "templates", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := builtIn.ReadFile(name)
		if err != nil {
			return err
		}
		file := filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(name, "templates/")))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // letters are no secret
			return err
		}
		f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // likewise
		if errors.Is(err, fs.ErrExist) {
			kept = append(kept, file)
			return nil
		}
		if err != nil {
			return err
		}
		written = append(written, file)
		_, err = f.Write(data)
		return errors.Join(err, f.Close())
	})
	return written, kept, err
}

// paragraphs breaks the lines of a letter so that every mail reader shows them well.
func paragraphs(body string) string {
	var out strings.Builder
	empty := 0
	for line := range strings.SplitSeq(strings.Trim(body, "\n"), "\n") {
		if strings.TrimSpace(line) == "" {
			empty++
			continue
		}
		if out.Len() > 0 {
			out.WriteString(strings.Repeat("\n", 1+min(empty, 1)))
		}
		empty = 0
		if line == "-- " { // begins a signature, with its blank
			out.WriteString(line)
			continue
		}
		line = strings.TrimRight(line, " \t\r")
		indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
		if indent == "" {
			line = wrap(line)
		}
		out.WriteString(line)
	}
	out.WriteByte('\n')
	return out.String()
}

// wrap breaks a paragraph into lines.
func wrap(s string) string {
	const width = 76
	var out strings.Builder
	n := 0
	for i, word := range strings.Fields(s) {
		letters := len([]rune(word))
		switch {
		case i == 0:
		case n+1+letters > width:
			out.WriteByte('\n')
			n = 0
		default:
			out.WriteByte(' ')
			n++
		}
		out.WriteString(word)
		n += letters
	}
	return out.String()
}
