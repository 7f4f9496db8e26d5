// Package rest is the REST API's OpenAPI description and what is generated from it: the types of its bodies and the
// interface of its server. Edit openapi.yaml, then run go generate here and in the client package.
package rest

//go:generate go tool -modfile=../../../../../tools/go.mod oapi-codegen -config oapi-codegen.yaml openapi.yaml
