package serve

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/internal/wire"
)

// A field is one setting of a plugin as its struct declares it.
type field struct {
	wire.Setting
	index []int
}

// fieldsOf reads the settings that C declares: its exported fields, by their json name.
func fieldsOf[C any]() []field {
	t := reflect.TypeFor[C]()
	if t.Kind() != reflect.Struct {
		return nil
	}
	var fields []field
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || f.Anonymous || name == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		fields = append(fields, field{index: f.Index, Setting: wire.Setting{
			Name: name, Type: typeName(f.Type), Doc: f.Tag.Get("doc"),
			Required: f.Tag.Get("required") == "true", Secret: f.Tag.Get("secret") == "true",
		}})
	}
	return fields
}

func settingsOf[C any]() []wire.Setting {
	var out []wire.Setting
	for _, f := range fieldsOf[C]() {
		out = append(out, f.Setting)
	}
	return out
}

func typeName(t reflect.Type) string {
	if t == reflect.TypeFor[time.Duration]() {
		return "duration"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "bool"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "integer"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Slice, reflect.Array:
		return "list"
	case reflect.Map, reflect.Struct:
		return "map"
	case reflect.Pointer:
		return typeName(t.Elem())
	default:
		return "string"
	}
}

// decode reads settings, a JSON object, strictly: an unknown name, a required one that is missing or empty, and a value
// of a wrong type are fault.Invalid naming the setting. It never repeats a value, which may be secret.
func decode[C any](settings []byte) (C, error) {
	var c C
	given := map[string]json.RawMessage{}
	if len(settings) > 0 {
		if err := json.Unmarshal(settings, &given); err != nil {
			return c, fmt.Errorf("the settings are no JSON object: %w", fault.Invalid)
		}
	}
	fields := fieldsOf[C]()
	var known []string
	for _, f := range fields {
		known = append(known, f.Name)
	}
	var unknown []string
	for name := range given {
		if !slices.Contains(known, name) {
			unknown = append(unknown, fmt.Sprintf("%q", name))
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return c, fmt.Errorf("unknown setting %s (there are: %s): %w",
			strings.Join(unknown, ", "), strings.Join(known, ", "), fault.Invalid)
	}
	for _, f := range fields {
		raw, ok := given[f.Name]
		if f.Required && (!ok || empty(raw)) {
			return c, fmt.Errorf("the setting %q is required: %w", f.Name, fault.Invalid)
		}
		if !ok || string(raw) == "null" {
			continue
		}
		if err := decodeField(reflect.ValueOf(&c).Elem().FieldByIndex(f.index), raw); err != nil {
			return c, fmt.Errorf("the setting %q must be a %s: %w", f.Name, f.Type, fault.Invalid)
		}
	}
	return c, nil
}

// decodeField takes a duration as Go writes it ("30s"); everything else is as in JSON.
func decodeField(v reflect.Value, raw json.RawMessage) error {
	if v.Type() != reflect.TypeFor[time.Duration]() {
		return json.Unmarshal(raw, v.Addr().Interface())
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	d, err := time.ParseDuration(s)
	v.SetInt(int64(d))
	return err
}

func empty(raw json.RawMessage) bool {
	switch strings.TrimSpace(string(raw)) {
	case "null", `""`, "[]", "{}":
		return true
	}
	return false
}
