package api

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"

	"github.com/roomwire/roomwire/host/internal/booking"
)

// problemOfValidation makes one problem of everything that the check against the description found: 400 for what is in
// the path, query or header, 422 for what is in the body. It never repeats a value.
func problemOfValidation(err error) problem {
	var list []booking.Violation
	inBody := false
	for _, e := range flatten(err) {
		req, ok := errors.AsType[*openapi3filter.RequestError](e)
		switch {
		case !ok:
			return problem{kind: "internal", status: http.StatusInternalServerError, detail: "the request could not be checked", cause: err}
		case req.Parameter != nil:
			list = append(list, ofParameter(req)...)
		case req.RequestBody != nil:
			inBody = true
			list = append(list, ofBody(req)...)
		default:
			list = append(list, booking.Violation{Field: "body", Reason: "is not expected here: send none"})
		}
	}
	if len(list) == 0 {
		return malformed("the request does not fit the API's description at /openapi.json")
	}
	p := invalid(list...)
	if !inBody {
		p.kind, p.status = "malformed", http.StatusBadRequest
	}
	return p
}

func flatten(err error) []error {
	multi, ok := errors.AsType[openapi3.MultiError](err)
	if _, isRequest := err.(*openapi3filter.RequestError); !ok || isRequest { //nolint:errorlint // only the outermost counts
		return []error{err}
	}
	var all []error
	for _, e := range multi {
		all = append(all, flatten(e)...)
	}
	return all
}

func ofParameter(e *openapi3filter.RequestError) []booking.Violation {
	field := e.Parameter.Name
	schema, ok := errors.AsType[*openapi3.SchemaError](e.Err)
	switch {
	case ok:
		return []booking.Violation{{Field: field, Reason: schemaReason(schema)}}
	case errors.Is(e.Err, openapi3filter.ErrInvalidRequired), errors.Is(e.Err, openapi3filter.ErrInvalidEmptyValue):
		return []booking.Violation{{Field: field, Reason: "is missing or empty"}}
	}
	kind := "value"
	if s := e.Parameter.Schema; s != nil && s.Value != nil && s.Value.Type != nil {
		kind = strings.Join(s.Value.Type.Slice(), " or ")
	}
	return []booking.Violation{{Field: field, Reason: "is no " + kind}}
}

func ofBody(e *openapi3filter.RequestError) []booking.Violation {
	if errors.Is(e.Err, openapi3filter.ErrInvalidRequired) {
		return []booking.Violation{{Field: "body", Reason: "is missing"}}
	}
	var list []booking.Violation
	for _, one := range flatten(e.Err) {
		schema, ok := errors.AsType[*openapi3.SchemaError](one)
		if !ok {
			list = append(list, booking.Violation{Field: "body", Reason: "is not valid JSON of the expected form"})
			continue
		}
		field := fieldName(schema.JSONPointer())
		if name, unknown := unknownProperty(schema); unknown {
			field = strings.TrimPrefix(field+"."+name, "body.")
			list = append(list, booking.Violation{Field: field, Reason: "is not known here: check its spelling or leave it out"})
			continue
		}
		list = append(list, booking.Violation{Field: field, Reason: schemaReason(schema)})
	}
	return list
}

// fieldName writes a JSON pointer as the API's users name fields: attendees[3].email.
func fieldName(pointer []string) string {
	var b strings.Builder
	for _, p := range pointer {
		switch _, err := strconv.Atoi(p); {
		case err == nil:
			b.WriteString("[" + p + "]")
		case b.Len() > 0:
			b.WriteString("." + p)
		default:
			b.WriteString(p)
		}
	}
	if b.Len() == 0 {
		return "body"
	}
	return b.String()
}

func unknownProperty(e *openapi3.SchemaError) (string, bool) {
	if e.SchemaField != "properties" {
		return "", false
	}
	rest, ok := strings.CutPrefix(e.Reason, `property "`)
	name, found := strings.CutSuffix(rest, `" is unsupported`)
	return name, ok && found
}

// schemaReason says in our words which rule of the description is broken.
func schemaReason(e *openapi3.SchemaError) string {
	s := e.Schema
	switch e.SchemaField {
	case "required":
		return "is missing"
	case "type", "nullable":
		if s.Type != nil {
			return "must be of type " + strings.Join(s.Type.Slice(), " or ")
		}
	case "enum":
		values := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			values[i] = fmt.Sprint(v)
		}
		return "must be one of " + strings.Join(values, ", ")
	case "minimum":
		return fmt.Sprintf("must not be less than %v", *s.Min)
	case "maximum":
		return fmt.Sprintf("must not be more than %v", *s.Max)
	case "minLength":
		return fmt.Sprintf("must have at least %d characters", s.MinLength)
	case "maxLength":
		return fmt.Sprintf("must not have more than %d characters", *s.MaxLength)
	case "pattern":
		return "must match " + s.Pattern
	case "format":
		if s.Format == "date-time" {
			return "must be a moment with offset, such as 2026-12-01T10:00:00+01:00 (in a query, + is written %2B)"
		}
		return "must be a " + s.Format
	}
	return "does not fit the API's description at /openapi.json"
}
