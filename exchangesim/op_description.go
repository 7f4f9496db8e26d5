package exchangesim

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

const typesNamespace = "http://schemas.microsoft.com/exchange/services/2006/types"

// descriptions are the files that some clients fetch before their first request. They are short: they name every operation,
// its messages and headers, and leave what is inside to the documents themselves.
func (s *Server) descriptions() map[string]func() string {
	return map[string]func() string{
		"/ews/services.wsdl": s.servicesWSDL,
		"/ews/messages.xsd":  s.messagesXSD,
		"/ews/types.xsd":     typesXSD,
	}
}

// describes reports whether a path in lower case is one of a description.
func describes(path string) bool {
	_, ok := (*Server)(nil).descriptions()[path]
	return ok
}

// serveDescription answers GET and HEAD.
func (s *Server) serveDescription(w http.ResponseWriter, r *http.Request, path string) {
	describe, ok := s.descriptions()[path]
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	case ok:
		w.Header().Set("Content-Type", "text/xml")
		_, _ = w.Write([]byte(describe()))
	default: // the endpoint itself has a page for people, as Exchange's has
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(`<html><head><title>Service</title></head><body><p>You have created a service. Its description: <a href="Services.wsdl">Services.wsdl</a></p></body></html>`))
	}
}

// requestElement is the element of an operation's request; one differs from the operation's name.
func requestElement(operation string) string {
	if operation == "GetUserAvailability" {
		return operation + "Request"
	}
	return operation
}

// servicesWSDL describes the port without a service element, which Exchange's own lacks too.
func (s *Server) servicesWSDL() string {
	var messages, ports, bindings strings.Builder
	for _, op := range slices.Sorted(maps.Keys(s.operations)) {
		fmt.Fprintf(&messages, `  <wsdl:message name="%[1]sSoapIn">
    <wsdl:part name="request" element="tns:%[2]s"/>
    <wsdl:part name="Impersonation" element="t:ExchangeImpersonation"/>
    <wsdl:part name="RequestVersion" element="t:RequestServerVersion"/>
    <wsdl:part name="TimeZoneContext" element="t:TimeZoneContext"/>
  </wsdl:message>
  <wsdl:message name="%[1]sSoapOut">
    <wsdl:part name="%[1]sResult" element="tns:%[1]sResponse"/>
    <wsdl:part name="ServerVersion" element="t:ServerVersionInfo"/>
  </wsdl:message>
`, op, requestElement(op))
		fmt.Fprintf(&ports, `    <wsdl:operation name="%[1]s">
      <wsdl:input message="tns:%[1]sSoapIn"/>
      <wsdl:output message="tns:%[1]sSoapOut"/>
    </wsdl:operation>
`, op)
		fmt.Fprintf(&bindings, `    <wsdl:operation name="%[1]s">
      <soap:operation soapAction="%[2]s/%[1]s"/>
      <wsdl:input>
        <soap:header message="tns:%[1]sSoapIn" part="Impersonation" use="literal"/>
        <soap:header message="tns:%[1]sSoapIn" part="RequestVersion" use="literal"/>
        <soap:header message="tns:%[1]sSoapIn" part="TimeZoneContext" use="literal"/>
        <soap:body parts="request" use="literal"/>
      </wsdl:input>
      <wsdl:output>
        <soap:body parts="%[1]sResult" use="literal"/>
        <soap:header message="tns:%[1]sSoapOut" part="ServerVersion" use="literal"/>
      </wsdl:output>
    </wsdl:operation>
`, op, messagesNamespace)
	}
	return `<?xml version="1.0" encoding="utf-8"?>
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="` + typesNamespace + `" xmlns:tns="` + messagesNamespace + `" targetNamespace="` + messagesNamespace + `">
  <wsdl:types>
    <xs:schema>
      <xs:import namespace="` + messagesNamespace + `" schemaLocation="messages.xsd"/>
      <xs:import namespace="` + typesNamespace + `" schemaLocation="types.xsd"/>
    </xs:schema>
  </wsdl:types>
` + messages.String() + `  <wsdl:portType name="ExchangeServicePortType">
` + ports.String() + `  </wsdl:portType>
  <wsdl:binding name="ExchangeServiceBinding" type="tns:ExchangeServicePortType">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
` + bindings.String() + `  </wsdl:binding>
</wsdl:definitions>
`
}

// messagesXSD declares every request and response.
func (s *Server) messagesXSD() string {
	var elements strings.Builder
	for _, op := range slices.Sorted(maps.Keys(s.operations)) {
		for _, name := range []string{requestElement(op), op + "Response"} {
			fmt.Fprintf(&elements, "  <xs:element name=%q type=\"t:AnyContentType\"/>\n", name)
		}
	}
	return `<?xml version="1.0" encoding="utf-8"?>
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="` + typesNamespace + `" xmlns:m="` + messagesNamespace + `" targetNamespace="` + messagesNamespace + `" elementFormDefault="qualified">
  <xs:import namespace="` + typesNamespace + `" schemaLocation="types.xsd"/>
` + elements.String() + `</xs:schema>
`
}

// typesXSD declares the SOAP headers, and a type for all that this description leaves open.
func typesXSD() string {
	return `<?xml version="1.0" encoding="utf-8"?>
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types" targetNamespace="http://schemas.microsoft.com/exchange/services/2006/types" elementFormDefault="qualified">
  <xs:complexType name="AnyContentType">
    <xs:sequence>
      <xs:any processContents="lax" minOccurs="0" maxOccurs="unbounded"/>
    </xs:sequence>
    <xs:anyAttribute processContents="lax"/>
  </xs:complexType>
  <xs:element name="ExchangeImpersonation" type="t:AnyContentType"/>
  <xs:element name="TimeZoneContext" type="t:AnyContentType"/>
  <xs:element name="RequestServerVersion">
    <xs:complexType>
      <xs:attribute name="Version" type="xs:string" use="required"/>
    </xs:complexType>
  </xs:element>
  <xs:element name="ServerVersionInfo">
    <xs:complexType>
      <xs:attribute name="MajorVersion" type="xs:int"/>
      <xs:attribute name="MinorVersion" type="xs:int"/>
      <xs:attribute name="MajorBuildNumber" type="xs:int"/>
      <xs:attribute name="MinorBuildNumber" type="xs:int"/>
      <xs:attribute name="Version" type="xs:string"/>
    </xs:complexType>
  </xs:element>
</xs:schema>
`
}
