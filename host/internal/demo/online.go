package demo

import (
	"context"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/host/internal/api/client"
)

func (s *scene) newOnline(ctx context.Context, meetings ...*meeting) error {
	s.story("Dora's mailbox is in Exchange Online. Roomwire logs in as an app (OAuth, no user's password) and speaks EWS")
	s.story("there as on-premises. Dora books Room B and invites Alice, and takes Desk 2 for a day.")
	for _, m := range meetings {
		if err := s.book(ctx, m, client.ChangeKindCreated); err != nil {
			return err
		}
	}
	return s.mailed("mailed", meetings[0].mail("invitation"))
}

func (s *scene) overGraph(ctx context.Context, m *meeting, when span) error {
	s.story("Emil's mailbox is there, too, but Roomwire speaks Microsoft Graph to it. He books Room A and invites Bob.")
	if err := s.book(ctx, m, client.ChangeKindCreated); err != nil {
		return err
	}
	if err := s.mailed("mailed", m.mail("invitation")); err != nil {
		return err
	}
	before := s.sim.Stats().NotificationsSent
	if err := s.dragged(ctx, m, when); err != nil {
		return err
	}
	return s.notified(m.organizer, before)
}

// notified checks that Graph told the host of a change at the right address, and shows that.
func (s *scene) notified(p player, before int) error {
	host, err := url.Parse(s.stage.host.NotificationsURL())
	if err != nil {
		return fmt.Errorf("the address of the notification endpoint: %w", err)
	}
	endpoint := host.Scheme + "://" + host.Host + "/api/webhooks/graph"
	where := "nowhere"
	for _, sub := range s.sim.GraphSubscriptions() {
		if sub.Mailbox == p.email {
			where, _, _ = strings.Cut(sub.URL, "?")
		}
	}
	if err := same("where Graph reports "+p.name+"'s changes", endpoint, where); err != nil {
		return err
	}
	if s.sim.Stats().NotificationsSent == before {
		return &unmet{"Graph's change notification", "one that is taken", "none"}
	}
	s.side("heard", "by Graph's change notification, at "+endpoint)
	return nil
}

// graphSubscribers names those whose calendars Graph reports the changes of.
func (s *scene) graphSubscribers() string {
	var names []string
	for _, sub := range s.sim.GraphSubscriptions() {
		names = append(names, nameOf(sub.Mailbox))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// writes counts the requests that make, change or delete an item.
func (s *scene) writes() int {
	n := 0
	for _, operation := range []string{
		"CreateItem", "UpdateItem", "DeleteItem", "MoveItem",
		"GraphCreateEvent", "GraphUpdateEvent", "GraphDeleteEvent", "GraphCancelEvent",
	} {
		n += s.sim.Count(operation)
	}
	return n
}

// moved moves a person who has these meetings, and nothing else, to Microsoft Graph.
func (s *scene) moved(ctx context.Context, p player, meetings ...*meeting) error {
	s.story("Microsoft ends EWS in Exchange Online. The administrator moves Dora to Microsoft Graph; first a dry run, which")
	s.story("changes nothing. Every item is found again by the mark that it bears, and compared.")
	items, written, requests := s.sim.Outlook(p.email).Items(), s.writes(), s.sim.Count("")
	found := fmt.Sprintf("%d items: %d verified", len(meetings), len(meetings))

	if err := s.move(ctx, p, true, found); err != nil {
		return err
	}
	if err := s.reachedBy(ctx, p, overEWS); err != nil {
		return err
	}
	s.start()
	if err := s.move(ctx, p, false, found); err != nil {
		return err
	}
	s.stop()
	if err := until(ctx, func() error { return s.reachedBy(ctx, p, overGraph) }); err != nil {
		return err
	}
	if err := s.quiet(ctx); err != nil {
		return err
	}
	requests = s.sim.Count("") - requests
	if err := same("writes by the move", "0", fmt.Sprint(s.writes()-written)); err != nil {
		return err
	}
	if now := s.sim.Outlook(p.email).Items(); !reflect.DeepEqual(items, now) {
		return &unmet{"the calendar of " + p.name, "the very items of before", contents(now)}
	}
	for _, m := range meetings {
		if err := s.agree(ctx, *m, m.String()); err != nil {
			return err
		}
	}
	if err := same("subscriptions of Graph", "Dora, Emil", s.graphSubscribers()); err != nil {
		return err
	}
	s.side("so", fmt.Sprintf("no item was made, changed or deleted; both runs took %d requests", requests))
	return s.mailed("mailed", "nobody")
}

// move asks for a move to Graph, or a dry run of it, as the command does, waits until it is made, and shows what the command
// would. want is what is to be found.
func (s *scene) move(ctx context.Context, p player, dry bool, want string) error {
	command, said, to := "roomwire person move --to "+overGraph, "moved to ", overGraph
	if dry {
		command, said = command+" --dry-run", "would be moved to "
	}
	s.line("      $ " + command + " " + p.id)
	in := client.MoveInput{To: &to, DryRun: &dry, Persons: &[]string{p.id}}
	asked, err := s.rest.RequestMovesWithResponse(ctx, tenant, &client.RequestMovesParams{}, in)
	if err := client.Check(asked, err); err != nil {
		return fmt.Errorf("ask for the move of %s: %w", p.id, err)
	}
	for _, r := range asked.JSON202.Refused {
		return &unmet{"the move of " + p.name, "asked for", "refused: " + r.Reason}
	}
	err = until(ctx, func() error {
		r, err := s.rest.GetMoveWithResponse(ctx, tenant, p.id)
		if err := client.Check(r, err); err != nil {
			return fmt.Errorf("ask for the move of %s: %w", p.id, err)
		}
		m := r.JSON200
		got, wanted := fmt.Sprintf("%s, dry run %t", m.State, m.DryRun), fmt.Sprintf("%s, dry run %t", client.MoveStateDone, dry)
		for _, text := range []*string{m.Reason, m.Remedy} {
			if text != nil && *text != "" {
				got += "; " + *text
			}
		}
		return same("the move of "+p.name, wanted+"; "+want, got)
	})
	if err != nil {
		return err
	}
	s.line("      " + p.id + ": " + said + to + ": " + want)
	return nil
}

// reachedBy checks by which sync mode a person's mailbox is reached, and that the sync is well.
func (s *scene) reachedBy(ctx context.Context, p player, mode string) error {
	person, err := s.person(ctx, p)
	if err != nil {
		return err
	}
	way := "none"
	if person.Sync.Way != nil {
		way = string(*person.Sync.Way)
	}
	return same("how "+p.name+"'s mailbox is reached", mode+", status ok, way push",
		fmt.Sprintf("%s, status %s, way %s%s", person.SyncMode, person.Sync.Status, way, trouble(person)))
}

// contents names the items of a calendar with their ids and revisions.
func contents(items []exchangesim.Appointment) string {
	list := make([]string, len(items))
	for i, a := range items {
		list[i] = fmt.Sprintf("%q %s %s", a.Subject, a.ID, a.ChangeKey)
	}
	return strings.Join(list, ", ")
}

func (s *scene) afterMove(ctx context.Context, m *meeting, web, outlook span) error {
	item, _ := s.item(m.organizer, m.id)
	if err := s.changed(ctx, m, web); err != nil {
		return err
	}
	before := s.sim.Stats().NotificationsSent
	if err := s.dragged(ctx, m, outlook); err != nil {
		return err
	}
	if err := s.notified(m.organizer, before); err != nil {
		return err
	}
	now, _ := s.item(m.organizer, m.id)
	if err := same("the item of the meeting", item.ID+" with "+item.UID, now.ID+" with "+now.UID); err != nil {
		return err
	}
	for _, sub := range s.sim.Subscriptions() {
		if sub.Mailbox == m.organizer.email {
			return &unmet{m.organizer.name + "'s subscription over EWS", "ended by the answer to its first notification", "still there"}
		}
	}
	s.side("so", "the item is the one that EWS made; its old subscription ended with its first call")
	return nil
}
