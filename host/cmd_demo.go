package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/demo"
)

func demoCmd() *cobra.Command {
	var o demo.Options
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it work: host and Exchange stand-in on sample people",
		Long: `Start a stand-in for Exchange, on-premises and Online, and the host on this machine, import sample people and walk through
what Roomwire is for: bookings that reach calendars, changes in Outlook that come back, and a person who is moved from EWS to
Microsoft Graph. Each step shows what both sides hold, who was mailed and how long it took. Nothing outside a temporary folder
is touched.

Without --once everything stays up afterwards, with addresses and commands to try, until Ctrl-C.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Out, o.Color, o.Version = cmd.OutOrStdout(), colors(), version
			err := demo.Run(cmd.Context(), o)
			if errors.Is(err, demo.ErrFailed) || errors.Is(err, demo.ErrInterrupted) {
				return errShown
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&o.Once, "once", false, "end after the last step: exit code 0, or 1 if a step failed")
	cmd.Flags().StringVar(&o.KeepData, "keep-data", "", "write to `DIR`, a new folder, and keep it: configuration, database, logs")
	return cmd
}

// colors reports whether the output goes to a terminal that shows colours and whose user has not declined them.
func colors() bool {
	info, err := os.Stdout.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	term := os.Getenv("TERM")
	return terminal && os.Getenv("NO_COLOR") == "" && term != "" && term != "dumb"
}
