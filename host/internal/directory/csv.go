package directory

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/roomwire/roomwire/host/internal/config"
)

// Columns are the names in the header line of persons.csv, in the order in
// which they are written. A file may leave out all but id and email, and have
// them in any order.
func Columns() []string {
	return []string{"id", "email", "display_name", "kind", "sync_mode", "sync_url", "sync_disabled", "conflict_behaviour", "mail_on_error", "own_bookings", "sync_master"}
}

// Row is one good line.
type Row struct {
	Line   int // 1 is the first of the file
	Person Person
}

// LineError is one fault of a file. A line with an error gives no row; one
// with only warnings does.
type LineError struct {
	Line    int  // 0 when it is about the whole file
	Warning bool // the line was taken all the same
	Fault        // Field is empty when it is about the whole line
}

// Error names the line, the field and what to do.
func (e LineError) Error() string {
	where := "the file"
	if e.Line > 0 {
		where = fmt.Sprintf("line %d", e.Line)
	}
	if e.Field != "" {
		where += ", " + e.Field
	}
	f := e.Fault
	return strings.Join(strings.Fields(fmt.Sprintf("%s: %s. %s %s", where, f.What, f.Why, f.Remedy)), " ")
}

// Import says how a file is read.
type Import struct {
	Tenant string // of all persons in the file
	Modes  []config.SyncMode
}

const (
	maxCSV  = 64 << 20
	maxLine = 64 << 10
)

// ParseCSV reads persons.csv. Good lines are returned even when others have
// faults; both are in the order of the file. It takes what Excel writes:
// commas, semicolons or tabs, a byte order mark, a sep= line, UTF-16, and
// Windows-1252, of which it warns.
func ParseCSV(r io.Reader, in Import) ([]Row, []LineError) {
	data, err := io.ReadAll(io.LimitReader(r, maxCSV+1))
	if err != nil {
		return nil, []LineError{whole("the file cannot be read: "+err.Error(), "", "Try again.")}
	}
	if len(data) > maxCSV {
		return nil, []LineError{whole(fmt.Sprintf("the file is larger than %d MiB", maxCSV>>20), "", "Cut it into several files, each with the header line.")}
	}
	p := parser{in: in, ids: map[string]int{}, emails: map[string]int{}}
	text, encoding := config.ToUTF8(data)
	if encoding == "Windows-1252" {
		e := whole("the file is not UTF-8; it was read as Windows-1252", "Letters with accents may have been misread.", "Look at the names; if they are wrong, save the file as UTF-8 (Excel: CSV UTF-8).")
		e.Warning = true
		p.errs = append(p.errs, e)
	}
	p.file(text)
	return p.rows, p.errs
}

func whole(what, why, remedy string) LineError {
	return LineError{Fault: Fault{What: what, Why: why, Remedy: remedy}}
}

type parser struct {
	in          Import
	comma       rune
	header      []string
	ids, emails map[string]int // first line of each
	rows        []Row
	errs        []LineError
}

func (p *parser) add(line int, f Fault) { p.errs = append(p.errs, LineError{Line: line, Fault: f}) }

// file takes line for line: no field of a person spans lines, so that an open
// quote spoils its own line only.
func (p *parser) file(text []byte) {
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	text = bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
	number, broken := 0, false
	for raw := range bytes.SplitSeq(text, []byte("\n")) {
		number++
		line := string(raw)
		switch {
		case broken, strings.Trim(line, " \t,;\u00a0") == "":
			continue // Excel keeps emptied rows as delimiters
		case p.header == nil && p.comma == 0 && separator(line) != 0:
			p.comma = separator(line)
			continue
		case len(line) > maxLine:
			p.add(number, Fault{What: fmt.Sprintf("the line is longer than %d KiB", maxLine>>10), Remedy: "Check for a missing line break."})
			broken = p.header == nil
			continue
		}
		fields, fault := p.split(line)
		if fault.What != "" {
			p.add(number, fault)
			broken = p.header == nil
			continue
		}
		if p.header == nil {
			broken = !p.readHeader(number, fields)
			continue
		}
		p.person(number, fields)
	}
	if p.header == nil && !broken {
		p.errs = append(p.errs, whole("the file is empty", "", "Write the header line: "+strings.Join(Columns(), ",")))
	}
}

// separator reads Excel's first line "sep=;".
func separator(line string) rune {
	rest, ok := strings.CutPrefix(strings.ToLower(strings.Trim(line, `" `)), "sep=")
	if ok && (rest == "," || rest == ";" || rest == "\t") {
		return rune(rest[0])
	}
	return 0
}

// guess takes the delimiter that stands most often outside quotes.
func guess(header string) rune {
	counts, quoted := map[rune]int{}, false
	for _, r := range header {
		switch {
		case r == '"':
			quoted = !quoted
		case !quoted:
			counts[r]++
		}
	}
	best := ','
	for _, r := range []rune{';', '\t'} {
		if counts[r] > counts[best] {
			best = r
		}
	}
	return best
}

func (p *parser) split(line string) ([]string, Fault) {
	if p.comma == 0 {
		p.comma = guess(line)
	}
	r := csv.NewReader(strings.NewReader(line))
	r.Comma, r.FieldsPerRecord = p.comma, -1
	fields, err := r.Read()
	var parse *csv.ParseError
	switch {
	case err == nil:
		return fields, Fault{}
	case errors.As(err, &parse) && errors.Is(parse.Err, csv.ErrBareQuote):
		return nil, Fault{What: fmt.Sprintf("there is a quote inside a field, at character %d", parse.Column), Remedy: `Put the field into quotes and write the quote inside twice: "Anna ""Ann"" Example".`}
	case errors.As(err, &parse) && errors.Is(parse.Err, csv.ErrQuote):
		return nil, Fault{What: "a quote is not closed on its line, or something follows it", Why: "Fields cannot contain line breaks.", Remedy: `Close the quote before the delimiter or the end of the line; write a quote inside it twice.`}
	default:
		return nil, Fault{What: "the line cannot be read", Remedy: "Compare it with the lines before it."}
	}
}

// readHeader reports whether the rest of the file can be read.
func (p *parser) readHeader(line int, fields []string) bool {
	columns := Columns()
	p.header = make([]string, len(fields))
	recognised, good := 0, true
	for i, f := range fields {
		name := strings.ToLower(strings.TrimSpace(strings.TrimPrefix(f, "\uFEFF")))
		switch {
		case name == "":
			continue
		case slices.Contains(p.header[:i], name) && slices.Contains(columns, name):
			p.add(line, Fault{name, "this column is there twice", "Which of them is meant cannot be known.", "Delete one of the two."})
			good = false
		case slices.Contains(columns, name):
			recognised++
			p.header[i] = name
		}
	}
	if recognised == 0 {
		p.add(line, Fault{What: "there is no header line", Why: "The first line says which column is which.", Remedy: "Write as first line: " + strings.Join(columns, string(p.comma))})
		return false
	}
	for i, f := range fields {
		if name := strings.TrimSpace(f); p.header[i] == "" && name != "" && good {
			e := LineError{Line: line, Warning: true, Fault: Fault{name, "there is no such column", "It was left out.", suggest(name, columns) + "Known are: " + strings.Join(columns, ", ") + "."}}
			p.errs = append(p.errs, e)
		}
	}
	for _, name := range columns[:2] {
		if !slices.Contains(p.header, name) {
			p.add(line, Fault{name, "this column is missing", "Without it no person can be told from another.", "Add it to the header line and to every line."})
			good = false
		}
	}
	return good
}

// person takes one line of data.
func (p *parser) person(line int, fields []string) {
	for _, extra := range fields[min(len(fields), len(p.header)):] {
		if strings.TrimSpace(extra) != "" {
			p.add(line, Fault{What: fmt.Sprintf("the line has %d fields, the header %d", len(fields), len(p.header)), Why: "One of them may contain the delimiter.",
				Remedy: fmt.Sprintf("Put fields that contain %q into quotes: \"Example, Anna\".", p.comma)})
			return
		}
	}
	if len(fields) < len(p.header) {
		p.add(line, Fault{What: fmt.Sprintf("the line has %d fields, the header %d", len(fields), len(p.header)), Why: "What is missing might have switched something off.",
			Remedy: fmt.Sprintf("Write an empty field for what is not given: each line has the same number of %q.", p.comma)})
		return
	}
	value := func(column string) string {
		if i := slices.Index(p.header, column); i >= 0 && i < len(fields) {
			return strings.TrimSpace(strings.ReplaceAll(fields[i], "\u00a0", " "))
		}
		return ""
	}
	var faults []Fault
	boolean := func(column string, def bool) bool {
		b, ok := parseBool(value(column), def)
		if !ok {
			faults = append(faults, Fault{column, fmt.Sprintf("%q is neither true nor false", value(column)), "", "Write true or false."})
		}
		return b
	}
	person := Person{
		Tenant: p.in.Tenant, ID: value("id"), Email: value("email"), DisplayName: value("display_name"),
		Kind: Kind(value("kind")), SyncMode: value("sync_mode"), SyncURL: value("sync_url"),
		SyncDisabled: boolean("sync_disabled", false), ConflictBehaviour: ConflictBehaviour(value("conflict_behaviour")),
		MailOnError: boolean("mail_on_error", true), SyncOnRequest: !boolean("own_bookings", true),
		SyncMaster: boolean("sync_master", false),
	}.Normalize(p.in.Modes)
	faults = append(person.Check(p.in.Modes), faults...)
	faults = append(faults, p.repeated(line, person)...)
	if len(faults) > 0 {
		for _, f := range faults {
			p.add(line, f)
		}
		return
	}
	p.rows = append(p.rows, Row{line, person})
}

// repeated complains of an id or address that an earlier line has.
func (p *parser) repeated(line int, person Person) []Fault {
	var faults []Fault
	note := func(field, value string, first map[string]int) {
		if value == "" {
			return
		}
		if at, again := first[value]; again {
			faults = append(faults, Fault{field, fmt.Sprintf("%q is on line %d already", value, at), "One person has exactly one line, one mailbox one person.", "Delete one of the two lines, or correct the " + field + "."})
			return
		}
		first[value] = line
	}
	note("id", person.ID, p.ids)
	note("email", FoldEmail(person.Email), p.emails)
	return faults
}

// parseBool knows what spreadsheets make of true and false.
func parseBool(text string, def bool) (value, ok bool) {
	switch strings.ToLower(text) {
	case "":
		return def, true
	case "true", "1", "yes", "y", "x", "wahr", "ja", "j":
		return true, true
	case "false", "0", "no", "n", "falsch", "nein":
		return false, true
	}
	return def, false
}
