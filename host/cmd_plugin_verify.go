package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/verify"
)

func pluginVerifyCmd(f *flags) *cobra.Command {
	var o verify.Order
	var mode string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify [NAME ...]",
		Short: "Compare plugins with their pins, or one with the contract",
		Long: `Without --conformance: compare each pinned binary, or those named, with plugins.lock. Nothing is started.

With --conformance FILE: start that binary, which need not be pinned, and hold it against every rule of its contract
(docs/plugins/contract.md) that shows from outside.

A BACKEND IS EXAMINED IN REAL CALENDARS: in those of --mailbox, items are made, changed and removed again, some dozens of
them, next year. What is there already is not touched. Say --mailbox twice to see that two calendars are kept apart. With
--allow-attendees some of the items have attendees of example.com, whom the server may send mail.

  roomwire plugin verify --conformance roomwire-backend-mine --mailbox test@example.com --url https://mail.example.com/ \
      --auth roomwire-auth-basic --auth-set user=svc --auth-set password=env:PASSWORD
  roomwire plugin verify --conformance roomwire-backend-mine --mailbox test@example.com --mode Exchange2013

THE BINARY SEES CREDENTIALS: the headers of every login at the server of --url, and no other. A header of Basic is the
password, and a bearer's token can be used again; so take --mode, which logs in with the real service account, only for a
binary that you would install. It is refused where the host would not log in, as with Basic at an http:// URL.

An auth plugin needs no server to be examined. With --url it also logs in there, some dozens of times and always with the
settings given; --mode and --auth are not for it.

  roomwire plugin verify --conformance roomwire-auth-mine --set token=env:TOKEN --url https://mail.example.com/

A setting's VALUE is a text, or JSON where the plugin wants a number, a list and the like; env:NAME takes it from the
environment and file:PATH from a file. A secret has to come from one of these two.

Exit code 1 if a binary is not what was pinned, or a rule is not kept.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.File == "" {
				return f.verifyPins(cmd, args, asJSON)
			}
			if len(args) > 0 {
				return usageError{errors.New("--conformance examines one file; a NAME is for comparing pins")}
			}
			if len(o.Mailboxes) > 2 {
				return usageError{errors.New("--mailbox can be given twice at most")}
			}
			if mode != "" {
				cfg, err := f.load(cmd, false)
				if err != nil {
					return err
				}
				if o.Mode, err = verify.ModeOf(cfg, mode); err != nil {
					return err
				}
			}
			return conform(cmd, o, asJSON)
		},
	}
	to := cmd.Flags()
	to.BoolVar(&asJSON, "json", false, "print JSON, at the end")
	to.StringVar(&o.File, "conformance", "", "the plugin's binary to hold against the contract")
	to.StringArrayVar(&o.Mailboxes, "mailbox", nil, "address of a calendar in which items are made and removed; once or twice")
	to.StringVar(&o.URL, "url", "", "address of the mailboxes' service")
	to.StringArrayVar(&o.Set, "set", nil, "a setting of the plugin, NAME=VALUE")
	to.StringVar(&o.Auth, "auth", "", "binary of the auth plugin that the backend logs in by")
	to.StringArrayVar(&o.AuthSet, "auth-set", nil, "a setting of the auth plugin, NAME=VALUE")
	to.StringVar(&mode, "mode", "", "take settings, auth plugins, URL and connection of this sync mode")
	to.BoolVar(&o.ActAs, "act-as", false, "the account acts for the mailboxes (impersonation)")
	to.StringVar(&o.CAFile, "ca-file", "", "certificates (PEM) trusted beside the system's")
	to.StringVar(&o.Proxy, "proxy", "", "URL of a proxy")
	to.BoolVar(&o.Attendees, "allow-attendees", false, "make items with attendees, who may be sent mail")
	to.StringVar(&o.Absent, "absent", "", "address of a mailbox that does not exist")
	to.StringVar(&o.NoticesListen, "notices-listen", "", "host:port to await the server's messages at")
	to.StringVar(&o.NoticesURL, "notices-url", "", "URL under which the server reaches that; default http:// and --notices-listen")
	to.DurationVar(&o.Lag, "lag", 0, "how long the server may show what was before a change")
	to.StringVar(&o.Check, "check", "", "make only checks of this pattern, such as Apply or 'Event/AllDay*'")
	for _, given := range []string{"set", "auth", "auth-set", "act-as", "ca-file", "proxy"} {
		cmd.MarkFlagsMutuallyExclusive("mode", given)
	}
	return cmd
}

// verifyPins prints a line for each binary.
func (f *flags) verifyPins(cmd *cobra.Command, names []string, asJSON bool) error {
	cfg, err := f.load(cmd, false)
	if err != nil {
		return err
	}
	pins, err := verify.Pins(cfg.Plugins.Dir, names)
	if err != nil {
		return err
	}
	bad := false
	for _, p := range pins {
		bad = bad || !p.Good
		if !asJSON {
			fmt.Fprintf(cmd.OutOrStdout(), "%-30s %s\n", p.Name, p.State)
		}
	}
	if asJSON {
		if err := printIndented(cmd.OutOrStdout(), pins); err != nil {
			return err
		}
	}
	if bad {
		return errShown
	}
	return nil
}

// conform prints a line for each check.
func conform(cmd *cobra.Command, o verify.Order, asJSON bool) error {
	out := cmd.OutOrStdout()
	report, err := verify.Conformance(cmd.Context(), o, func(c verify.Check) {
		if !asJSON {
			printCheck(out, c)
		}
	})
	if err != nil {
		return err
	}
	if asJSON {
		if err := printIndented(out, report); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(out, "%s plugin %s %s: %d rules kept, %d not kept, %d not examined\n",
			report.Kind, report.Plugin, report.Version, report.Passed, report.Failed, report.Skipped)
	}
	if report.Failed > 0 {
		return errShown
	}
	return nil
}

func printCheck(out io.Writer, c verify.Check) {
	sign := "ok  "
	switch {
	case c.Failed():
		sign = "FAIL"
	case c.Skipped():
		sign = "skip"
	}
	fmt.Fprintf(out, "%s  %s\n", sign, c.Name)
	for _, said := range c.Said {
		fmt.Fprintln(out, "      "+strings.ReplaceAll(said, "\n", "\n      "))
	}
}

func printIndented(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
