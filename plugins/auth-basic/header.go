package main

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/roomwire/roomwire/sdk/fault"
)

// header returns the value of the Authorization header (RFC 7617), in UTF-8. A user name cannot hold a colon, which
// would begin the password.
func header(s Settings) (string, error) {
	user := s.User
	if s.Domain != "" && !strings.ContainsAny(user, `\@`) {
		user = s.Domain + `\` + user
	}
	if strings.Contains(user, ":") {
		return "", fmt.Errorf("the user name holds a colon, which Basic cannot carry: %w", fault.Invalid)
	}
	if strings.ContainsFunc(user+s.Password, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", fmt.Errorf("the user name or the password holds a control character, perhaps a line end from a file: %w", fault.Invalid)
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+s.Password)), nil
}
