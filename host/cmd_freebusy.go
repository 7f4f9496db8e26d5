package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/api/client"
)

func personFreeBusyCmd(f *flags) *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use: "freebusy ID|ADDRESS...", Short: "Show when persons and resources are busy, by their calendars and bookings",
		Args: cobra.MinimumNArgs(1),
		Example: `  roomwire person freebusy ada room-1 --from 2026-12-01 --to 2026-12-05
  roomwire person freebusy guest@example.com --from "2026-12-01 08:00" --to "2026-12-01 18:00"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			params, err := freeBusySpan(from, to, time.Now())
			if err != nil {
				return err
			}
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			var persons, resources, addresses []string
			for _, id := range args {
				if strings.Contains(id, "@") {
					addresses = append(addresses, id)
					continue
				}
				res, err := a.GetPersonWithResponse(cmd.Context(), a.tenant, id)
				if err := client.Check(res, err); err != nil {
					return err
				}
				if res.JSON200.Kind == client.KindResource {
					resources = append(resources, id)
				} else {
					persons = append(persons, id)
				}
			}
			for list, param := range map[*[]string]**[]string{
				&persons: &params.Persons, &resources: &params.Resources, &addresses: &params.Addresses,
			} {
				if len(*list) > 0 {
					*param = list
				}
			}
			res, err := a.GetFreeBusyWithResponse(cmd.Context(), a.tenant, params)
			if err := client.Check(res, err); err != nil {
				return err
			}
			return printFreeBusy(cmd.OutOrStdout(), res.JSON200)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", `first moment, as "2026-12-01", "2026-12-01 08:00" or with an offset (default: now)`)
	cmd.Flags().StringVar(&to, "to", "", "the moment after the last; a date means that the day is included (default: a day later)")
	return cmd
}

// freeBusySpan reads the two moments in this machine's time zone, which is the administrator's.
func freeBusySpan(from, to string, now time.Time) (*client.GetFreeBusyParams, error) {
	p := &client.GetFreeBusyParams{From: now.Truncate(time.Minute)}
	var err error
	if from != "" {
		if p.From, _, err = localMoment("--from", from); err != nil {
			return nil, err
		}
	}
	p.To = p.From.AddDate(0, 0, 1)
	if to != "" {
		day := false
		if p.To, day, err = localMoment("--to", to); err != nil {
			return nil, err
		}
		if day {
			p.To = p.To.AddDate(0, 0, 1)
		}
	}
	return p, nil
}

func localMoment(flag, text string) (at time.Time, day bool, err error) {
	for _, layout := range []string{"2006-01-02", "2006-01-02 15:04", "2006-01-02T15:04", time.RFC3339} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return at, layout == "2006-01-02", nil
		}
	}
	return at, false, fmt.Errorf(`%s %q is no moment: write it as "2026-12-01", "2026-12-01 08:00" or "2026-12-01T08:00:00+01:00"`, flag, text)
}

func printFreeBusy(out io.Writer, found *client.FreeBusy) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, one := range found.Items {
		who := deref(one.Person) + deref(one.Resource) + deref(one.Address)
		switch {
		case one.Error != nil:
			fmt.Fprintf(w, "%s\tnot known\t%s\n", who, one.Error.Reason)
		case len(one.Busy) == 0:
			fmt.Fprintf(w, "%s\tfree\t\n", who)
		}
		for _, t := range one.Busy {
			about := deref(t.Subject)
			if t.Private {
				about = "(private)"
			}
			if id := deref(t.Booking); id != "" {
				about = strings.TrimSpace(about + " [booking " + id + "]")
			}
			const form = "2006-01-02 15:04"
			fmt.Fprintf(w, "%s\t%s\t%s - %s\t%s\n", who, t.Busy, t.Start.Local().Format(form), t.End.Local().Format(form), about)
		}
	}
	return w.Flush()
}
