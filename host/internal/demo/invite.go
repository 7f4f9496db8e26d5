package demo

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/host/internal/api/client"
)

// invite prints what can be tried while the demonstration stays up.
func (s *scene) invite(ctx context.Context) error {
	r, err := s.rest.CreateAPIKeyWithResponse(ctx, tenant, nil, client.APIKeyInput{Name: "demonstration"})
	if err := client.Check(r, err); err != nil {
		if ctx.Err() != nil {
			return ErrInterrupted
		}
		return fmt.Errorf("make an API key: %w", err)
	}
	exe, err := os.Executable()
	if err != nil {
		exe = "roomwire"
	}
	st, base := s.stage, s.stage.host.APIURL()
	rest := func(path string) string {
		return "curl -H 'Authorization: Bearer " + r.JSON201.Key + "' '" + base + "/" + tenant + "/api/v1/" + path + "'"
	}
	s.gap()
	s.text("Everything stays up until Ctrl-C. To try:")
	s.gap()
	s.text("All bookings, over REST; the key is for this demonstration:")
	s.text("  " + rest("bookings"))
	if a, found := s.sim.Outlook(bob.email).Find(func(exchangesim.Appointment) bool { return true }); found {
		s.text("Act as Bob in his Outlook: give his first appointment another subject. Then look at the change feed, which waits:")
		s.text("  curl -X PATCH -d '{\"subject\": \"Changed by Bob\"}' '" + st.http.URL + "/sim/appointments?mailbox=" + bob.email + "&id=" + url.QueryEscape(a.ID) + "'")
		s.text("  " + rest(fmt.Sprintf("changes?after=%d&wait=30s", s.seq)))
	}
	s.text("The administrator's commands:")
	s.text("  " + exe + " --config " + st.cfg.Dir + " person list")
	s.text("  " + exe + " --config " + st.cfg.Dir + " person move --to " + overEWS + " " + dora.id + "    (and back, as often as you like)")
	s.gap()
	s.fact("REST", base+"/"+tenant+"/api/v1, described at "+base+"/openapi.json")
	s.fact("Endpoint", st.host.NotificationsURL()+" (open it in a browser)")
	s.fact("Exchange (EWS)", st.https.URL+`/EWS/Exchange.asmx, user EXAMPLE\alice, bob or carol, password "secret"`)
	s.fact("Exchange Online", st.cloud.ews+" and "+st.cloud.graph+", for the app in roomwire.hcl")
	s.fact("Exchange (acts)", st.http.URL+"/sim/, described in exchangesim/README.md")
	s.fact("Logs", filepath.Join(st.dir, "log"))
	return nil
}
