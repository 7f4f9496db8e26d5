package directory

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/roomwire/roomwire/host/internal/config"
)

func modes() []config.SyncMode {
	return []config.SyncMode{
		{Name: "Exchange2013", Backend: "exchange2013", Auth: []string{"ntlm", "basic"}},
		{Name: "EWS1", Backend: "exchange2013", Auth: []string{"ntlm"}, URL: "https://one.example.com/EWS/Exchange.asmx"},
		{Name: "Feed", Backend: "feed"},
	}
}

const header = "id,email,display_name,kind,sync_mode,sync_url,sync_disabled,conflict_behaviour,mail_on_error\n"

func parse(text string) ([]Row, []LineError) {
	return ParseCSV(strings.NewReader(text), Import{Tenant: "Default", Modes: modes()})
}

func TestExampleIsGood(t *testing.T) {
	t.Parallel()
	f, err := os.Open("../../../configs/people.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, errs := ParseCSV(f, Import{Tenant: "Default", Modes: modes()})
	if len(errs) != 0 || len(rows) != 3 {
		t.Fatalf("rows %+v, errors %v", rows, errs)
	}
	want := Row{4, Person{Tenant: "Default", ID: "carol", Email: "carol@example.com", DisplayName: "Example, Carol", Kind: KindPerson,
		SyncMode: "Exchange2013", SyncURL: "https://mail.example.com/EWS/Exchange.asmx", SyncDisabled: true, ConflictBehaviour: Rollback}}
	if rows[2] != want {
		t.Errorf("got %+v, want %+v", rows[2], want)
	}
}

func TestWhatSpreadsheetsWrite(t *testing.T) {
	t.Parallel()
	want := Person{Tenant: "Default", ID: "7", Email: "jürgen@example.com", DisplayName: "Müller, Jürgen", Kind: KindPerson,
		SyncMode: "EWS1", SyncURL: "https://one.example.com/EWS/Exchange.asmx", SyncDisabled: true, ConflictBehaviour: Cancel, MailOnError: true}
	semicolon := "ID;Abteilung;Email;Display_Name;Sync_Mode;Sync_Disabled;Conflict_Behaviour\n7;;jürgen@example.com;Müller, Jürgen;ews1;WAHR;Cancel\n"
	latin := strings.ReplaceAll(semicolon, "ü", "\xfc")
	for name, c := range map[string]struct {
		text     string
		warnings int
	}{
		"semicolons":        {semicolon, 1},
		"byte order mark":   {"\uFEFF" + semicolon, 1},
		"sep line":          {"sep=;\r\n" + strings.ReplaceAll(semicolon, "\n", "\r\n"), 1},
		"tabs":              {strings.ReplaceAll(semicolon, ";", "\t"), 1},
		"Windows-1252":      {latin, 2},
		"lone \\r":          {strings.ReplaceAll(semicolon, "\n", "\r"), 1},
		"emptied rows":      {semicolon + ";;;;;;\n\n", 1},
		"trailing fields":   {strings.TrimSuffix(semicolon, "\n") + ";;;\n", 1},
		"no final newline":  {strings.TrimSuffix(semicolon, "\n"), 1},
		"commas and quotes": {"email,id,display_name,sync_mode,sync_disabled,conflict_behaviour\njürgen@example.com,7,\"Müller, Jürgen\",EWS1,1,CANCEL\n", 0},
	} {
		rows, errs := parse(c.text)
		if len(rows) != 1 || rows[0].Person != want {
			t.Errorf("%s: rows = %+v, errors %v", name, rows, errs)
		}
		for _, e := range errs {
			if !e.Warning {
				t.Errorf("%s: %v", name, e)
			}
		}
		if len(errs) != c.warnings {
			t.Errorf("%s: %d warnings, want %d: %v", name, len(errs), c.warnings, errs)
		}
	}
}

func TestBadLines(t *testing.T) {
	t.Parallel()
	const url = "https://mail.example.com/EWS/Exchange.asmx"
	for _, c := range []struct{ line, want string }{
		{",a@example.com,A,person,,,,,", "line 2, id: the id is empty"},
		{"a/b,a@example.com,A,person,,,,,", "line 2, id: the id \"a/b\" has a character"},
		{"1,,A,person,,,,,", "line 2, email: the e-mail address is empty"},
		{"1,Alice <a@example.com>,A,person,,,,,", "line 2, email: \"Alice <a@example.com>\" is no e-mail address"},
		{"1,a@example..com,A,person,,,,,", "line 2, email: \"a@example..com\" is no e-mail address"},
		{"1,a@exa mple.com,A,person,,,,,", "is no e-mail address"},
		{"1,a.example.com,A,person,,,,,", "is no e-mail address"},
		{"1,a@example.com,A,persn,,,,,", "line 2, kind: there is no kind \"persn\". Did you mean person?"},
		{"1,a@example.com,A,person,Exchnge2013," + url + ",,,", "line 2, sync_mode: there is no sync mode \"Exchnge2013\". It says which server and which service user reach the mailbox. Did you mean Exchange2013? Set up: Exchange2013, EWS1, Feed."},
		{"1,a@example.com,A,person,O365,,,,", "line 2, sync_mode: sync mode O365 is not set up. It says which server and which service user reach the mailbox. Set ExchangeTenantId, ExchangeAppId and ExchangeClientSecret in RoomsAppSettings.config"},
		{"1,a@example.com,A,person,Exchange2013,,,,", "line 2, sync_url: the sync URL is empty, and sync mode Exchange2013 has none of its own"},
		{"1,a@example.com,A,person,,https://mail.example.com/EWS/Exchange.asmx,,,", "line 2, sync_mode: there is a sync URL without a sync mode"},
		{"1,a@example.com,A,person,Exchange2013,http://mail.example.com/EWS/Exchange.asmx,,,", "line 2, sync_url: Basic over plain HTTP is refused"},
		{"1,a@example.com,A,person,Exchange2013,https://outlook.office365.com/EWS/Exchange.asmx,,,", "belongs to Exchange Online, which takes neither NTLM nor Basic"},
		{"1,a@example.com,A,person,Exchange2013,mail.example.com,,,", "line 2, sync_url: url does not start with http"},
		{"1,a@example.com,A,person,,,maybe,,", "line 2, sync_disabled: \"maybe\" is neither true nor false"},
		{"1,a@example.com,A,person,,,,rolback,", "line 2, conflict_behaviour: there is no conflict behaviour \"rolback\". Did you mean rollback?"},
		{"1,a@example.com,A,person,,,,,,more", "line 2: the line has 10 fields, the header 9"},
		{"1,a@example.com,A \"B\",person,,,,,", "line 2: there is a quote inside a field"},
		{"1,a@example.com,\"A,person,,,,,", "line 2: a quote is not closed on its line"},
	} {
		rows, errs := parse(header + c.line + "\ngood,good@example.com,Good,resource,Feed,,,,\n")
		if len(rows) != 1 || rows[0].Line != 3 || rows[0].Person.ID != "good" || rows[0].Person.Kind != KindResource {
			t.Errorf("%s: the good line gave %+v", c.line, rows)
		}
		if len(errs) != 1 || !strings.Contains(errs[0].Error(), c.want) || errs[0].Remedy == "" {
			t.Errorf("%s:\n got %v\nwant %s", c.line, errs, c.want)
		}
	}
}

func TestEveryFaultOfALineIsNamed(t *testing.T) {
	t.Parallel()
	_, errs := parse(header + ",x,,robot,Nope,,perhaps,shrug,\n")
	var fields []string
	for _, e := range errs {
		fields = append(fields, e.Field)
	}
	if got, want := fmt.Sprint(fields), "[id email kind sync_mode conflict_behaviour sync_disabled]"; got != want {
		t.Errorf("fields %s, want %s", got, want)
	}
}

func TestOwnBookingsMayBeLeftOut(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"id,email\na,a@example.com\n":                                        false,
		"id,email,own_bookings\na,a@example.com,\n":                          false,
		"id,email,own_bookings\na,a@example.com,true\n":                      false,
		"own_bookings,id,email\nnein,a,a@example.com\n":                      true,
		header[:len(header)-1] + ",own_bookings\na,a@example.com,,,,,,,,0\n": true,
	} {
		rows, errs := parse(text)
		if len(errs) != 0 || len(rows) != 1 || rows[0].Person.SyncOnRequest != want {
			t.Errorf("%q: %+v, %v", text, rows, errs)
		}
	}
	if _, errs := parse("id,email,own_bookings\na,a@example.com,perhaps\n"); len(errs) != 1 || errs[0].Field != "own_bookings" {
		t.Errorf("%v", errs)
	}
}

func TestSyncMasterOfAResource(t *testing.T) {
	t.Parallel()
	rows, errs := parse("id,email,kind,sync_master\na,a@example.com,resource,ja\nb,b@example.com,resource,\n")
	if len(errs) != 0 || len(rows) != 2 || !rows[0].Person.SyncMaster || rows[1].Person.SyncMaster {
		t.Errorf("%+v, %v", rows, errs)
	}
}

func TestRepeatedPersons(t *testing.T) {
	t.Parallel()
	rows, errs := parse(header + "1,a@example.com,,,,,,,\n2,A@Example.COM,,,,,,,\n1,b@example.com,,,,,,,\n")
	if len(rows) != 1 || len(errs) != 2 {
		t.Fatalf("rows %+v, errors %v", rows, errs)
	}
	if got, want := errs[0].Error(), `line 3, email: "a@example.com" is on line 2 already. One person has exactly one line, one mailbox one person. Delete one of the two lines, or correct the email.`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if errs[1].Line != 4 || errs[1].Field != "id" {
		t.Errorf("got %v", errs[1])
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"", "the file: the file is empty"},
		{"1,a@example.com\n", "line 1: there is no header line"},
		{"id,mail\n1,a@example.com\n", "line 1, email: this column is missing"},
		{"id,email,id\n1,a@example.com,1\n", "line 1, id: this column is there twice"},
		{"id,email,sync_mod\n", "line 1, sync_mod: there is no such column. It was left out. Did you mean sync_mode?"},
	} {
		rows, errs := parse(c.text)
		found := false
		for _, e := range errs {
			found = found || strings.Contains(e.Error(), c.want)
		}
		if len(rows) != 0 || !found {
			t.Errorf("%q: rows %v, errors %v, want %s", c.text, rows, errs, c.want)
		}
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }

func TestReaderThatFails(t *testing.T) {
	t.Parallel()
	rows, errs := ParseCSV(failing{}, Import{})
	if len(rows) != 0 || len(errs) != 1 || !strings.Contains(errs[0].Error(), "the disk is gone") {
		t.Errorf("rows %v, errors %v", rows, errs)
	}
	var _ io.Reader = failing{}
}

func TestServer(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"https://Mail.Example.com/EWS/Exchange.asmx": "https://mail.example.com:443",
		"http://mail.example.com:8080/x":             "http://mail.example.com:8080",
		"":                                           "",
	} {
		if got := (Person{SyncURL: url}).Server(); got != want {
			t.Errorf("Server(%q) = %q, want %q", url, got, want)
		}
	}
}

func FuzzParseCSV(f *testing.F) {
	f.Add([]byte(header + "1,a@example.com,A,person,EWS1,,false,cancel,true\n"))
	f.Add([]byte("sep=;\nid;email\n1;\"a@example.com\n"))
	f.Add([]byte("\xff\xfei\x00d\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, errs := ParseCSV(strings.NewReader(string(data)), Import{Tenant: "T", Modes: modes()})
		ids, emails, last := map[string]bool{}, map[string]bool{}, 0
		for _, r := range rows {
			p := r.Person
			if r.Line <= last || p.ID == "" || ids[p.ID] || emails[FoldEmail(p.Email)] || !utf8.ValidString(p.DisplayName) {
				t.Errorf("row %+v after line %d", r, last)
			}
			if faults := p.Check(modes()); len(faults) != 0 || p != p.Normalize(modes()) {
				t.Errorf("row %+v has faults %v", r, faults)
			}
			ids[p.ID], emails[FoldEmail(p.Email)], last = true, true, r.Line
		}
		for _, e := range errs {
			if e.What == "" || e.Remedy == "" {
				t.Errorf("fault without words: %+v", e)
			}
		}
	})
}
