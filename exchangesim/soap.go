package exchangesim

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// An ewsError is a failure with a response code of EWS. It becomes the answer to one item of a request, or, returned by an
// operation, a SOAP fault for the whole request.
type ewsError struct {
	code   string
	text   string
	values []attr // MessageXml, such as BackOffMilliseconds
}

// Error implements error.
func (e *ewsError) Error() string { return e.code + ": " + e.text }

func fail(code, format string, args ...any) *ewsError {
	return &ewsError{code: code, text: fmt.Sprintf(format, args...)}
}

// asEWS gives any error a response code.
func asEWS(err error) *ewsError {
	var e *ewsError
	if errors.As(err, &e) {
		return e
	}
	return fail("ErrorInternalServerError", "An internal server error occurred. %v", err)
}

// version is that of the server, as every answer tells it.
func (e edition) version() *node {
	if e == online {
		return el("t:ServerVersionInfo", attr{"MajorVersion", "15"}, attr{"MinorVersion", "20"},
			attr{"MajorBuildNumber", "9073"}, attr{"MinorBuildNumber", "22"}, attr{"Version", "V2018_01_08"})
	}
	return el("t:ServerVersionInfo", attr{"MajorVersion", "15"}, attr{"MinorVersion", "2"},
		attr{"MajorBuildNumber", "1748"}, attr{"MinorBuildNumber", "10"}, attr{"Version", "V2017_07_11"})
}

// envelope wraps a body for the wire.
func (e edition) envelope(body *node) []byte {
	return el("s:Envelope", el("s:Header", e.version()), el("s:Body", body)).document()
}

// faultBody is the SOAP fault for e.
func faultBody(e *ewsError) *node {
	const errorsNS = "http://schemas.microsoft.com/exchange/services/2006/errors"
	detail := el("detail",
		el("e:ResponseCode", attr{"xmlns:e", errorsNS}, e.code),
		el("e:Message", attr{"xmlns:e", errorsNS}, e.text))
	if x := messageXML("t:MessageXml", e); x != nil {
		detail.kids = append(detail.kids, x)
	}
	return el("s:Fault",
		el("faultcode", attr{"xmlns:a", "http://schemas.microsoft.com/exchange/services/2006/types"}, "a:"+e.code),
		el("faultstring", attr{"xml:lang", "en-US"}, e.text),
		detail)
}

func messageXML(name string, e *ewsError) *node {
	if len(e.values) == 0 {
		return nil
	}
	n := el(name)
	for _, v := range e.values {
		n.kids = append(n.kids, el("t:Value", attr{"Name", v.name}, v.value))
	}
	return n
}

// success is one response message; more is the data of the operation.
func success(operation string, more ...*node) *node {
	return el("m:"+operation+"ResponseMessage", attr{"ResponseClass", "Success"},
		el("m:ResponseCode", "NoError"), more)
}

// failure is one response message for an error; more is what the schema requires even then.
func failure(operation string, err error, more ...*node) *node {
	e := asEWS(err)
	n := el("m:"+operation+"ResponseMessage", attr{"ResponseClass", "Error"},
		el("m:MessageText", e.text), el("m:ResponseCode", e.code), el("m:DescriptiveLinkKey", "0"))
	if x := messageXML("m:MessageXml", e); x != nil {
		n.kids = append(n.kids, x)
	}
	n.kids = append(n.kids, more...)
	return n
}

// response wraps response messages into the answer of an operation.
func response(operation string, messages ...*node) *node {
	return el("m:"+operation+"Response", el("m:ResponseMessages", messages))
}

// stamp writes an instant the way every answer does: in UTC with Z, to the second.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

func boolean(b bool) string { return strconv.FormatBool(b) }

// parseBool reads an xs:boolean.
func parseBool(s string) (bool, error) {
	switch s {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, fail("ErrorSchemaValidation", "%q is not a valid xs:boolean.", s)
}
