package ews

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/ews/xmlscan"
)

// ServerVersion is what a server tells of itself in the header of its answers.
type ServerVersion struct {
	Major, Minor, Build, Revision int
	Schema                        string // not an enumeration: e.g. "V2017_07_11"
}

// String returns product and build, e.g. "Exchange 15.2.1748.10".
func (v ServerVersion) String() string {
	if v.Major == 0 {
		return "Exchange"
	}
	return fmt.Sprintf("Exchange %d.%d.%d.%d", v.Major, v.Minor, v.Build, v.Revision)
}

// An answer is a decoded SOAP envelope: either a fault, or a status and a value for each thing asked for.
type answer[T any] struct {
	version ServerVersion
	fault   status // its code is empty if there is none
	replies []reply[T]
	at      site
}

type reply[T any] struct {
	status status
	value  T
}

// A payload reads one child of a response message, which is not one of those that every message has, into the reply.
type payload[T any] func(s *xmlscan.Scanner, child string, into *T)

// decode reads an envelope. response is the element expected in its body.
func decode[T any](doc []byte, response string, payload payload[T]) (answer[T], error) {
	var a answer[T]
	s := scan(doc)
	soap := false
	for root := range s.Children() {
		if root != "Envelope" {
			continue
		}
		soap = true
		for part := range s.Children() {
			switch part {
			case "Header":
				for header := range s.Children() {
					if header == "ServerVersionInfo" {
						a.version = decodeVersion(s)
					}
				}
			case "Body":
				for child := range s.Children() {
					switch child {
					case "Fault":
						a.fault = decodeFault(s)
					case response:
						decodeResponse(s, &a, payload)
					}
				}
			}
		}
	}
	if err := s.Err(); err != nil {
		return a, err
	}
	if !soap {
		return a, errors.New("no SOAP envelope")
	}
	return a, nil
}

func decodeResponse[T any](s *xmlscan.Scanner, a *answer[T], payload payload[T]) {
	for list := range s.Children() {
		if list != "ResponseMessages" {
			continue
		}
		for range s.Children() {
			r := reply[T]{status: status{class: s.Attr("ResponseClass")}}
			for child := range s.Children() {
				switch child {
				case "ResponseCode":
					r.status.code = strings.TrimSpace(s.Word())
				case "MessageXml":
					detail := status{}
					decodeDetail(s, &detail)
					r.status.inner, r.status.pause = detail.inner, detail.pause
				case "MessageText", "DescriptiveLinkKey":
					// may quote what people wrote
				default:
					payload(s, child, &r.value)
				}
			}
			a.replies = append(a.replies, r)
		}
	}
}

func decodeVersion(s *xmlscan.Scanner) ServerVersion {
	return ServerVersion{
		Major:    number(s.Attr("MajorVersion")),
		Minor:    number(s.Attr("MinorVersion")),
		Build:    number(s.Attr("MajorBuildNumber")),
		Revision: number(s.Attr("MinorBuildNumber")),
		Schema:   s.Attr("Version"),
	}
}

// decodeFault reads a SOAP fault: the code stands in the detail and, with a prefix, in faultcode.
func decodeFault(s *xmlscan.Scanner) status {
	var f status
	code := ""
	for child := range s.Children() {
		switch strings.ToLower(child) {
		case "faultcode":
			code = s.Text()
			code = strings.TrimSpace(code[strings.LastIndexByte(code, ':')+1:])
		case "detail":
			decodeDetail(s, &f)
		}
	}
	if f.code == "" {
		f.code = code
	}
	if f.code == "" {
		f.code = "Fault"
	}
	return f
}

// decodeDetail looks for codes and the back-off hint at any depth, in any namespace of ours: servers differ.
func decodeDetail(s *xmlscan.Scanner, into *status) {
	for child := range s.Children() {
		switch child {
		case "ResponseCode":
			into.code = strings.TrimSpace(s.Text())
		case "Value":
			switch s.Attr("Name") {
			case "BackOffMilliseconds":
				ms := number(s.Text())
				into.pause = min(time.Duration(max(ms, 0))*time.Millisecond, maxPause)
			case "InnerErrorResponseCode":
				into.inner = strings.TrimSpace(s.Text())
			}
		default:
			decodeDetail(s, into)
		}
	}
}

// number reads an integer; 0 if it is none.
func number(text string) int {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32)
	if err != nil {
		return 0
	}
	return int(n)
}

// truth reads an xs:boolean; false if it is none.
func truth(text string) bool {
	t := strings.TrimSpace(text)
	return t == "true" || t == "1"
}

// dateTime reads an xs:dateTime; one without an offset is UTC, as our TimeZoneContext demands. Zero if it is none.
func dateTime(text string) time.Time {
	text = strings.TrimSpace(text)
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t.UTC()
	}
	for _, layout := range []string{"2006-01-02T15:04:05.999999999", "2006-01-02Z07:00", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
