package wire

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	roomwirev1 "github.com/roomwire/roomwire/proto/roomwire/v1"
	"github.com/roomwire/roomwire/sdk/fault"
)

// This file takes secrets out of what a process answers and logs: out of errors alone, for what else an answer holds is
// data and stays as it is.

// hideError returns err, as errorFromStatus made it, without secrets and of bounded length. A nil s only bounds it.
func (s *Secrets) hideError(err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	clean := *f
	clean.Message, clean.Code, clean.ID = s.hideText(f.Message), s.hideText(f.Code), s.hideText(f.ID)
	return &clean
}

// hideText is for a part of an error. The far side may have cut it off already.
func (s *Secrets) hideText(message string) string {
	if len(message) >= maxErrorText {
		message = s.HideCut(strings.TrimSuffix(shorten(message, maxErrorText), "…")) + "…"
	}
	return text(s.Hide(message))
}

// hideFaults takes secrets out of the faults inside an answer, wherever they are in it.
func (s *Secrets) hideFaults(answer any) {
	if m, ok := answer.(proto.Message); ok && s != nil {
		s.hideIn(m.ProtoReflect())
	}
}

func (s *Secrets) hideIn(m protoreflect.Message) {
	if f, ok := m.Interface().(*roomwirev1.Fault); ok {
		f.Message, f.Code, f.Id = s.hideText(f.Message), s.hideText(f.Code), s.hideText(f.Id)
		return
	}
	if !s.bearsFaults(m.Descriptor()) {
		return
	}
	m.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case field.Message() == nil:
		case field.IsMap():
			if field.MapValue().Message() != nil {
				v.Map().Range(func(_ protoreflect.MapKey, e protoreflect.Value) bool {
					s.hideIn(e.Message())
					return true
				})
			}
		case field.IsList():
			for i := range v.List().Len() {
				s.hideIn(v.List().Get(i).Message())
			}
		default:
			s.hideIn(v.Message())
		}
		return true
	})
}

// bearsFaults reports whether a message of this kind can hold a fault; large ones that cannot are not walked through.
func (s *Secrets) bearsFaults(d protoreflect.MessageDescriptor) bool {
	if known, ok := s.bearing.Load(d.FullName()); ok {
		return known.(bool)
	}
	bears := holdsFault(d, map[protoreflect.FullName]bool{})
	s.bearing.Store(d.FullName(), bears)
	return bears
}

func holdsFault(d protoreflect.MessageDescriptor, seen map[protoreflect.FullName]bool) bool {
	if d.FullName() == (&roomwirev1.Fault{}).ProtoReflect().Descriptor().FullName() {
		return true
	}
	if seen[d.FullName()] {
		return false
	}
	seen[d.FullName()] = true
	for i := range d.Fields().Len() {
		if m := d.Fields().Get(i).Message(); m != nil && holdsFault(m, seen) {
			return true
		}
	}
	return false
}

// hideAll returns the values of a log line without secrets, those within lists and maps included.
func (s *Secrets) hideAll(values []any) []any {
	if s == nil {
		return values
	}
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = s.hideValue(v)
	}
	return out
}

func (s *Secrets) hideValue(value any) any {
	switch v := value.(type) {
	case string:
		return s.Hide(v)
	case []any:
		return s.hideAll(v)
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[s.Hide(k)] = s.hideValue(e)
		}
		return out
	case json.Number:
		if s.Hide(v.String()) != v.String() || s.hidesNumber(v) {
			return hidden
		}
	}
	return value
}

// hidesNumber reports whether a number is secret, however many digits it is written with: 1.2345678e7 is 12345678.
func (s *Secrets) hidesNumber(n json.Number) bool {
	f, err := n.Float64()
	if err != nil {
		return false
	}
	plain := strconv.FormatFloat(f, 'f', -1, 64)
	return s.Hide(plain) != plain
}
