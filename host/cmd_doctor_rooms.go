package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/roomwire/roomwire/host/internal/api/client"
)

// reviewRooms prints how rooms' mailboxes ought to be set up.
func (f *flags) reviewRooms(cmd *cobra.Command, asJSON, quiet bool) error {
	a, err := f.connect(cmd)
	if err != nil {
		return err
	}
	defer a.close()
	res, err := a.ReviewRoomsWithResponse(cmd.Context(), a.tenant)
	if err := client.Check(res, err); err != nil {
		return err
	}
	if asJSON {
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetIndent("", "  ")
		return enc.Encode(res.JSON200)
	}
	return printRooms(cmd.OutOrStdout(), *res.JSON200, quiet)
}

func printRooms(out io.Writer, r client.RoomReview, quiet bool) error {
	if len(r.Rooms) == 0 {
		_, err := fmt.Fprintln(out, "There is no resource with a mail address: nothing is to be set up in Exchange.")
		return err
	}
	shown := 0
	for _, room := range r.Rooms {
		if quiet && len(room.Refusals) == 0 {
			continue
		}
		shown++
		fmt.Fprintf(out, "# %s, %s\n", room.ID, strings.Join(nonempty(deref(room.DisplayName), room.Email, room.SyncMode), ", "))
		fmt.Fprintf(out, "%s\n%s\n", room.Get, room.Set)
		for _, x := range room.Refusals {
			fmt.Fprintf(out, "# refused booking %s at %s: %s\n", x.Booking, x.At.Local().Format("2006-01-02 15:04"), oneLine(x.Reason, 200))
			if len(x.Settings) > 0 {
				fmt.Fprintf(out, "#   look at %s\n", strings.Join(x.Settings, ", "))
			} else {
				fmt.Fprintln(out, "#   no setting is known for this: ask who keeps the room")
			}
		}
		fmt.Fprintln(out)
	}
	if shown == 0 {
		_, err := fmt.Fprintln(out, "No room is known to have refused anything with a reason.")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, s := range r.Settings {
		value := deref(s.Value)
		if value == "" {
			value = "as you like"
		}
		fmt.Fprintf(w, "# %s\t%s\t%s\n", s.Name, value, s.Why)
	}
	return w.Flush()
}

func nonempty(texts ...string) []string {
	var out []string
	for _, t := range texts {
		if t != "" {
			out = append(out, t)
		}
	}
	return out
}

// oneLine is text on one line, of at most so many characters, and without what a terminal would obey.
func oneLine(text string, most int) string {
	line := []rune(strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, strings.Join(strings.Fields(text), " ")))
	if len(line) > most {
		return string(line[:most-1]) + "…"
	}
	return string(line)
}
