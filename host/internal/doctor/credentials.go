package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/supervise"
)

// endsSoon is how long before its end a credential is warned of: it takes people to replace one.
const endsSoon = 30 * 24 * time.Hour

// credentials says when those end by which sync modes log in, as far as it is known.
func (d *Doctor) credentials(context.Context) []Finding {
	if d.Credentials == nil {
		return nil
	}
	all := d.Credentials()
	var out []Finding
	for _, c := range all {
		out = append(out, d.credential(c, slices.ContainsFunc(all, func(o supervise.Credential) bool {
			// One whose end is not known may have ended already: it is no reason not to warn of one that is about to.
			ended := !c.Ends.After(d.Now())
			return o.Mode == c.Mode && o.Plugin == c.Plugin && o.What != c.What && (ended && o.Ends.IsZero() || o.Ends.Sub(d.Now()) > endsSoon)
		})))
	}
	return out
}

// credential is about one; another one of the mode may serve in its place.
func (d *Doctor) credential(c supervise.Credential, another bool) Finding {
	const area = "credentials"
	name := c.Mode + " " + c.What
	secret := strings.HasPrefix(c.What, "client_secret")
	if c.Ends.IsZero() {
		what := "when it ends is not known"
		if secret {
			what += fmt.Sprintf(": write its day, %s_expires = \"YYYY-MM-DD\", to be warned ahead", c.What)
		}
		return good(area, name, what)
	}
	left := c.Ends.Sub(d.Now())
	day := c.Ends.UTC().Format(time.DateOnly)
	remedy := "Replace it, and run roomwire config apply."
	switch {
	case secret:
		remedy = "Create another one (Entra admin center, App registrations, the app, Certificates & secrets), write it as client_secret_2 with client_secret_2_expires, and run roomwire config apply; both serve then."
	case c.What == "certificate_file":
		remedy = "Make another certificate, upload its public part (Entra admin center, App registrations, the app, Certificates & secrets), replace the file, and run roomwire config apply."
	}
	switch {
	case left <= 0 && another:
		return warn(area, name, "it ended on "+day+"; another credential of the mode serves", "Delete it from the configuration, or write the right day.")
	case left <= 0:
		return bad(area, name, "it ended on "+day, remedy)
	case left < endsSoon && !another:
		return warn(area, name, fmt.Sprintf("it ends on %s: %s left", day, plural(int(left.Hours()/24), "day is", "days are")), remedy)
	case left < endsSoon:
		return good(area, name, "it ends on "+day+"; another credential of the mode serves")
	}
	return good(area, name, "it ends on "+day)
}
