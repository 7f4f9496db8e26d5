package app

import (
	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/mail"
)

// CheckLetters finds out now what would only show when somebody is to be mailed: that the letters of one's own which the
// configuration names cannot be written.
func CheckLetters(cfg *config.Config) config.Diagnostics {
	if _, err := mail.LoadLetters(cfg.Mail); err != nil {
		return config.Diagnostics{{
			Severity: config.Error, Summary: "the letters of mail.templates cannot be used", Detail: err.Error(),
			Remedy: "Correct that file, or delete it: then the built-in letter is sent. \"roomwire config mails\" shows the letters.",
		}}
	}
	return nil
}
