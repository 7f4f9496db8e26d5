package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/api/client"
)

func personCmd(f *flags) *cobra.Command {
	cmd := &cobra.Command{Use: "person", Short: "Say who is kept in sync, and see how their sync is"}
	cmd.AddCommand(personImportCmd(f), personListCmd(f), personShowCmd(f), personShadowCmd(f), personSetCmd(f), personDeleteCmd(f),
		personTestCmd(f), personFreeBusyCmd(f), personMoveCmd(f), personMovesCmd(f), personMoveDecideCmd(f))
	return cmd
}

func personListCmd(f *flags) *cobra.Command {
	var status, kind, mode, way, query string
	cmd := &cobra.Command{
		Use: "list", Short: "List persons and resources with the state of their sync", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tEMAIL\tKIND\tMODE\tSYNC\tWHY")
			params := &client.ListPersonsParams{}
			given(&params.Status, client.Status(status))
			given(&params.Kind, client.Kind(kind))
			given(&params.Mode, mode)
			given(&params.Way, client.Way(way))
			given(&params.Q, query)
			for {
				res, err := a.ListPersonsWithResponse(cmd.Context(), a.tenant, params)
				if err := client.Check(res, err); err != nil {
					return err
				}
				for _, p := range res.JSON200.Items {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", p.ID, p.Email, p.Kind, p.SyncMode, p.Sync.Status, deref(p.Sync.Reason))
				}
				if deref(res.JSON200.Next) == "" {
					return w.Flush()
				}
				params.After = res.JSON200.Next
			}
		},
	}
	cmd.Flags().StringVar(&status, "status", "", "only those whose sync is: new, ok, waiting, attention or disabled")
	cmd.Flags().StringVar(&kind, "kind", "", "only persons, or only resources: person or resource")
	cmd.Flags().StringVar(&mode, "mode", "", "only those of this sync mode")
	cmd.Flags().StringVar(&way, "way", "", "only those whose changes are heard of by: push, streaming, pull or poll")
	cmd.Flags().StringVarP(&query, "query", "q", "", "only those whose id, mail address or name begins so")
	return cmd
}

func personShowCmd(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show a person, how their sync is, and what was done lately", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			res, err := a.GetPersonWithResponse(cmd.Context(), a.tenant, args[0])
			if err := client.Check(res, err); err != nil {
				return err
			}
			act, err := a.ListActivityWithResponse(cmd.Context(), a.tenant, args[0], &client.ListActivityParams{})
			if err := client.Check(act, err); err != nil {
				return err
			}
			return printPerson(cmd.OutOrStdout(), res.JSON200, act.JSON200)
		},
	}
}

func printPerson(out io.Writer, p *client.Person, act *client.ActivityPage) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, value)
		}
	}
	line("id", p.ID)
	line("name", p.DisplayName)
	line("email", p.Email)
	line("kind", string(p.Kind))
	line("sync mode", p.SyncMode)
	line("sync URL", p.SyncURL)
	line("conflict behaviour", string(p.ConflictBehaviour))
	line("mail on error", yesNo(p.MailOnError))
	if p.Kind == client.KindResource {
		line("sync master", yesNo(p.SyncMaster))
	} else {
		line("own bookings synced", yesNo(p.OwnBookings))
		if p.Shadow {
			line("shadow mode", "yes: nothing is written; roomwire person shadow "+p.ID)
		}
	}
	s := p.Sync
	line("sync", string(s.Status))
	if why := deref(s.WayReason); why == "" || !strings.HasSuffix(deref(s.Reason), why) { // else it stands below
		line("  why", deref(s.Reason))
	}
	line("  what to do", deref(s.Remedy))
	line("  since", when(s.Since))
	if s.Until != nil {
		line("  tried again", when(s.Until))
	}
	line("ahead", deref(s.Ahead))
	line("notices arrive by", wayOf(s))
	line("  why not better", deref(s.WayReason))
	if s.TryWay != nil {
		line("  on trial", string(*s.TryWay))
	}
	if s.ClimbAt != nil {
		line("  better way tried", when(s.ClimbAt))
	}
	line("last heard of", when(s.LastHeard))
	line("last notice", when(s.LastNotice))
	line("last pull", when(s.LastPull))
	line("last push", when(s.LastPush))
	if n := deref(s.OpenWrites); n > 0 {
		line("open work", fmt.Sprint(n))
	}
	if n := deref(s.HeldDeletions); n > 0 {
		line("held deletions", fmt.Sprint(n))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for i, a := range act.Items {
		if i == 0 {
			fmt.Fprintln(out, "\nlately:")
		}
		if i == 20 {
			break
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", when(&a.At), deref(a.Booking), a.What, deref(a.Why))
	}
	return w.Flush()
}

func personSetCmd(f *flags) *cobra.Command {
	var in struct {
		email, name, kind, mode, url, conflict string
		disabled, mail, own, master, shadow    bool
	}
	cmd := &cobra.Command{
		Use: "set ID", Short: "Create a person or change some of their settings", Args: cobra.ExactArgs(1),
		Example: `  roomwire person set ada --email ada@example.com --mode Exchange2013
  roomwire person set ada --sync-disabled`,
	}
	fl := cmd.Flags()
	fl.StringVar(&in.email, "email", "", "primary SMTP address of the mailbox")
	fl.StringVar(&in.name, "name", "", "display name")
	fl.StringVar(&in.kind, "kind", "", "person or resource")
	fl.StringVar(&in.mode, "mode", "", "sync mode")
	fl.StringVar(&in.url, "url", "", "sync URL, where the mode's own does not fit; another mode brings its own")
	fl.StringVar(&in.conflict, "conflict", "", "what becomes of a change in the calendar that the rules refuse: rollback or cancel")
	fl.BoolVar(&in.disabled, "sync-disabled", false, "switch the sync off")
	fl.BoolVar(&in.mail, "mail-on-error", false, "mail the person when the sync of their booking has a problem")
	fl.BoolVar(&in.shadow, "shadow", false, "read and plan everything, and write nothing; with --shadow=false the calendar is taken over and kept in sync")
	fl.BoolVar(&in.own, "own-bookings", true, "whether the person's new bookings are synced unless their maker says otherwise")
	fl.BoolVar(&in.master, "sync-master", false, "of a resource: decline meetings in its calendar that collide with a booking; else they stay there and are listed")
	settings := []string{"shadow", "email", "name", "kind", "mode", "url", "conflict", "sync-disabled", "mail-on-error", "own-bookings", "sync-master"}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a, err := f.connect(cmd)
		if err != nil {
			return err
		}
		defer a.close()
		body := client.PersonInput{}
		old, err := a.GetPersonWithResponse(cmd.Context(), a.tenant, args[0])
		if err := client.Check(old, err); err != nil && !errors.Is(err, client.NotFound) {
			return err
		}
		if p := old.JSON200; p != nil {
			body = client.PersonInput{
				Email: p.Email, DisplayName: &p.DisplayName, Kind: &p.Kind, SyncMode: &p.SyncMode, SyncURL: &p.SyncURL,
				ConflictBehaviour: &p.ConflictBehaviour, SyncDisabled: &p.SyncDisabled, MailOnError: &p.MailOnError,
				OwnBookings: &p.OwnBookings, SyncMaster: &p.SyncMaster,
			}
		}
		changed := func(name string) bool { return cmd.Flags().Changed(name) }
		switch {
		case old.JSON200 == nil && !changed("email"):
			return fmt.Errorf("there is no person %q: to create one, name the mailbox with --email", args[0])
		case !slices.ContainsFunc(settings, changed):
			return fmt.Errorf("nothing was said to change of person %q: roomwire person set --help lists the settings", args[0])
		}
		if changed("email") {
			body.Email = in.email
		}
		if changed("name") {
			body.DisplayName = &in.name
		}
		if changed("kind") {
			k := client.Kind(strings.ToLower(in.kind))
			body.Kind = &k
		}
		if changed("mode") {
			if !strings.EqualFold(deref(body.SyncMode), in.mode) {
				body.SyncURL = nil // the old mode's server: the new mode's identity must not be sent there
			}
			body.SyncMode = &in.mode
		}
		if changed("url") {
			body.SyncURL = &in.url
		}
		if changed("conflict") {
			c := client.ConflictBehaviour(strings.ToLower(in.conflict))
			body.ConflictBehaviour = &c
		}
		if changed("sync-disabled") {
			body.SyncDisabled = &in.disabled
		}
		if changed("mail-on-error") {
			body.MailOnError = &in.mail
		}
		if changed("own-bookings") {
			body.OwnBookings = &in.own
		}
		if changed("sync-master") {
			body.SyncMaster = &in.master
		}
		what, err := a.putPerson(cmd.Context(), args[0], body, shadowing{on: in.shadow, said: changed("shadow"), exists: old.JSON200 != nil})
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", args[0], what)
		return nil
	}
	return cmd
}

// shadowing is what was said of the shadow mode of a person.
type shadowing struct{ on, said, exists bool }

// putPerson saves a person. Shadow mode is on before anything else holds, and off after it: nothing is to be written in between.
func (a *admin) putPerson(ctx context.Context, id string, body client.PersonInput, s shadowing) (what string, err error) {
	put := func() (string, error) {
		res, err := a.PutPersonWithResponse(ctx, a.tenant, id, body)
		if err := client.Check(res, err); err != nil {
			return "", err
		}
		if res.JSON201 != nil {
			return "created", nil
		}
		return "changed", nil
	}
	if !s.said {
		return put()
	}
	what = "changed"
	if wanted := body.SyncDisabled; !s.exists && s.on {
		off := true
		body.SyncDisabled = &off
		if what, err = put(); err != nil {
			return "", err
		}
		body.SyncDisabled = wanted
	}
	set := func() error {
		res, err := a.SetShadowWithResponse(ctx, a.tenant, id, client.ShadowInput{On: s.on})
		return client.Check(res, err)
	}
	if s.on {
		if err := set(); err != nil {
			return "", err
		}
		_, err := put()
		return what, err
	}
	if what, err = put(); err != nil {
		return "", err
	}
	return what, set()
}

func personDeleteCmd(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "delete ID", Short: "Forget a person; the calendar stays as it is, and bookings are no longer synced", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := f.connect(cmd)
			if err != nil {
				return err
			}
			defer a.close()
			res, err := a.DeletePersonWithResponse(cmd.Context(), a.tenant, args[0])
			if err := client.Check(res, err); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s forgotten\n", args[0])
			return nil
		},
	}
}

// given sets a parameter of a request unless it is empty.
func given[T ~string](param **T, value T) {
	if value != "" {
		*param = &value
	}
}

func wayOf(s client.SyncState) string {
	if s.Way == nil {
		return ""
	}
	switch *s.Way {
	case "push":
		return "push: the server calls in"
	case "streaming":
		return "streaming: the server tells over a connection that stays open"
	case "pull":
		return "pull: the server is asked at short intervals"
	case "poll":
		return "poll: the calendar is read by the clock"
	}
	return string(*s.Way)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
