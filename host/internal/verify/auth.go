package verify

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"

	"github.com/roomwire/roomwire/sdk/authtest"
	"github.com/roomwire/roomwire/sdk/conformance"
	"github.com/roomwire/roomwire/sdk/launch"
)

// authPlugin examines an auth plugin; with a URL it logs in there, too.
func authPlugin(ctx context.Context, o Order, about launch.Description, run suite) error {
	switch {
	case o.Mode != nil || o.Auth != "":
		return errors.New("an auth plugin is examined with --set, --url and --ca-file; --mode and --auth are for backends")
	case len(o.Mailboxes) == 1:
		return errors.New("an auth plugin that logs in for mailboxes is examined with two: say --mailbox twice, or leave it out")
	}
	settings, err := ParseSettings(o.Set, about.Settings)
	if err != nil {
		return fmt.Errorf("--set: %w", err)
	}
	exe := authtest.Executable{Path: o.File, Settings: settings, URL: o.URL, Proxy: o.Proxy, Log: o.Log}
	if o.CAFile != "" {
		if exe.CAPEM, err = os.ReadFile(o.CAFile); err != nil {
			return fmt.Errorf("--ca-file: %w", err)
		}
	}
	if _, err := path.Match(o.Check, ""); err != nil {
		return fmt.Errorf("%q is no pattern: %w", o.Check, err)
	}
	p, err := exe.Start(ctx)
	if err != nil {
		return err
	}
	defer p.Close()
	f := p.Fixture()
	copy(f.Mailboxes[:], o.Mailboxes)
	if o.Check != "" {
		f.Only = o.wanted
	}
	run(func(r *conformance.Report) { authtest.Run(r, f) })
	return nil
}
