package config

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// loader gathers values from all sources while a Config is built.
type loader struct {
	roomSync bool   // of tenants that do not say otherwise
	private  string // likewise
	dir      string // absolute
	exeDir   string // absolute
	env      environment
	hcl      *hclFile
	rooms    *roomsFile
	asked    []string // names of variables that could have been set
	begun    []string // what names of variables for plugins' settings begin with
	shown    []shownValue
	diags    Diagnostics
	got      map[string]gotten // what get returned before, by key
}

// gotten is what section.get found.
type gotten struct {
	value any
	at    place
	ok    bool
}

func (l *loader) add(at place, s Severity, what, why, remedy string) {
	l.diags = append(l.diags, at.say(s, what, why, remedy))
}

// section reads the settings of one block, each from the place that goes first:
// its ROOMWIRE_ variable, its ROOMS key's variable, roomwire.hcl,
// RoomsAppSettings.config, the default.
type section struct {
	l     *loader
	spec  block
	path  []string          // of the block
	rooms map[string]string // setting → ROOMS key that gives the same
	head  string            // the block as Redacted prints it
	defs  map[string]string // defaults that differ from the table's
}

func (l *loader) section(spec block, path ...string) section {
	return section{l: l, spec: spec, path: path, head: strings.Join(path, " ")}
}

// sub returns the section of a block inside this one.
func (s section) sub(name string) section {
	spec, _ := s.spec.block(name)
	return section{l: s.l, spec: spec, path: append(slices.Clone(s.path), name), head: s.head + "\x1f" + name}
}

// find returns the text of a setting and whether any source has it.
func (s section) find(a attr) (written, bool) {
	path := append(slices.Clone(s.path), a.name)
	if name := envName(path...); !s.isRooms() {
		s.l.asked = append(s.l.asked, name)
		if v, ok := s.l.env.lookup(name); ok {
			return fromEnv(a, name, v), true
		}
	}
	roomsKey := s.rooms[a.name]
	if s.isRooms() {
		roomsKey = a.name
	}
	if roomsKey != "" {
		if v, ok := s.l.env.lookup(roomsKey); ok {
			w := fromEnv(a, roomsKey, v)
			w.rooms = true
			return w, true
		}
	}
	if w, ok := s.l.hcl.values[key(path...)]; ok {
		return w, true
	}
	if roomsKey != "" {
		if w, ok := s.l.rooms.values[key(roomsKey)]; ok {
			w.rooms = true
			return w, true
		}
	}
	return written{}, false
}

func fromEnv(a attr, name, v string) written {
	w := written{text: v, at: place{env: name}}
	if a.kind != kindSecret {
		w.text = strings.TrimSpace(v)
	}
	if a.kind == kindNames {
		for _, n := range strings.Split(v, ",") {
			w.list = append(w.list, strings.TrimSpace(n))
		}
	}
	return w
}

// get reads, checks and records one setting, once. The value is the default's
// when nothing was written or when it is faulty; ok tells whether a source has
// it.
func (s section) get(name string) (value any, at place, ok bool) {
	k := key(append(slices.Clone(s.path), name)...)
	if s.l.got == nil {
		s.l.got = map[string]gotten{}
	}
	g, again := s.l.got[k]
	if !again {
		g = s.look(name)
		s.l.got[k] = g
	}
	return g.value, g.at, g.ok
}

func (s section) look(name string) gotten {
	a, known := s.spec.attr(name)
	if !known {
		panic("config: the table has no setting " + name) // a fault of this package, found by any test
	}
	if def, ok := s.defs[name]; ok {
		a.def = def
	}
	w, ok := s.find(a)
	if ok && !w.faulty && w.text != "" {
		v, f := a.check(w.text)
		if f.what == "" {
			s.l.show(s.head, a, w.text, w.at)
			return gotten{v, w.at, true}
		}
		// A key's own section complains of it, under its own name.
		if !w.rooms || s.isRooms() {
			s.l.add(w.at, Error, f.what, f.why, f.remedy)
		}
	} else if ok && !w.faulty {
		ok = false // an empty text is how a setting is unset
	}
	var v any
	if a.def != "" {
		v, _ = a.check(a.def)
	}
	s.l.show(s.head, a, a.def, place{})
	return gotten{v, w.at, ok}
}

// isRooms tells the keys of RoomsAppSettings.config from settings of our own.
func (s section) isRooms() bool { return s.spec.name == roomsKeys().name }

func (s section) text(name string) string {
	v, _, _ := s.get(name)
	t, _ := v.(string)
	return t
}

func (s section) boolean(name string) bool {
	v, _, _ := s.get(name)
	b, _ := v.(bool)
	return b
}

func (s section) whole(name string) int {
	v, _, _ := s.get(name)
	n, _ := v.(int)
	return n
}

func (s section) share(name string) float64 {
	v, _, _ := s.get(name)
	f, _ := v.(float64)
	return f
}

func (s section) duration(name string) time.Duration {
	v, _, _ := s.get(name)
	d, _ := v.(time.Duration)
	return d
}

// file returns the absolute path of a file that must be readable, and its
// contents.
func (s section) file(name string) (path string, data []byte, at place) {
	v, at, ok := s.get(name)
	text, _ := v.(string)
	if !ok || text == "" {
		return "", nil, at
	}
	path = within(s.l.dir, text)
	data, err := readBounded(path, 8<<20)
	if err != nil {
		s.l.add(at, Error, err.Error(), fmt.Sprintf("%s names it.", name), "Correct the path, or give the user that runs roomwire the right to read it. A relative path is meant from the folder of roomwire.hcl.")
		return "", nil, at
	}
	return path, data, at
}

// names returns a list, nil when nothing was written.
func (s section) names(name string, def []string) ([]string, place) {
	a, _ := s.spec.attr(name)
	w, ok := s.find(a)
	if !ok || w.faulty {
		s.l.showText(s.head, name, quoteList(def), place{})
		return def, w.at
	}
	list := w.list
	var out []string
	for _, n := range list {
		if f := checkPluginName(n); f.what != "" {
			s.l.add(w.at, Error, f.what, f.why, f.remedy)
			continue
		}
		if slices.Contains(out, n) {
			s.l.add(w.at, Warning, fmt.Sprintf("%s names %q twice", name, n), "The second has no effect.", "Delete it.")
			continue
		}
		out = append(out, n)
	}
	s.l.showText(s.head, name, quoteList(out), w.at)
	return out, w.at
}

// has reports whether any source has the setting, without recording it.
func (s section) has(name string) bool {
	a, _ := s.spec.attr(name)
	w, ok := s.find(a)
	return ok && (w.faulty || w.text != "" || len(w.list) > 0)
}

// exists reports whether path is there at all.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
