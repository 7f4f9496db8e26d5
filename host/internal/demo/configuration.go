package demo

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// settings are what the demonstration's configuration depends on.
type settings struct {
	dir, plugins       string
	notifications, api string // addresses, host:port
	exchange           string // URL of EWS on-premises
	certificate        []byte // PEM
	cloud              cloud
}

// cloud is where Exchange Online is, and the app by which Roomwire gets in.
type cloud struct {
	ews, graph, login   string // URLs; the tokens for one host are none for another
	tenant, app, secret string
}

// roomsFile is what a ROOMS installation has: the service user of mode Exchange2013.
const roomsFile = `<?xml version="1.0" encoding="utf-8"?>
<RoomsAppSettings>
  <add key="Exchange2013ServiceUser" value="svc-rooms"/>
  <add key="Exchange2013ServicePassword" value="secret"/>
  <add key="Exchange2013ServiceDomain" value="EXAMPLE"/>
  <add key="SmtpHost" value="smtp.example.com"/>
</RoomsAppSettings>
`

// hclFile is Roomwire's own. Two modes reach the same server, so that both ways to log in are seen.
const hclFile = `listen {
  notifications = %[1]q # public: where Exchange reports changes
  api           = %[2]q # REST
}

store {
  url = "sqlite:../data/roomwire.db"
}

plugins {
  dir = %[3]q
}

tenant "Default" {
  root_url  = "http://%[1]s/Default"
  time_zone = "Europe/Berlin"
}

# "Exchange Ressource Sync enabled": what is invited in a room's calendar is booked.
rooms {
  sync = true
}

sync {
  # Nobody wants to wait for a demonstration.
  coalesce    = "10ms"
  retry_delay = "1s"
}

# NTLM is preferred; user and password come from RoomsAppSettings.config, the URL from each person.
sync_mode "Exchange2013" {
  auth = ["ntlm", "basic"]
  http {
    ca_file = "exchange.pem"
  }
}

# A mode of one's own, with Basic alone; persons without a URL get this one.
sync_mode "Exchange2013Basic" {
  backend  = "exchange2013"
  auth     = ["basic"]
  url      = %[4]q
  user     = "EXAMPLE\\svc-rooms"
  password = "secret"
  http {
    ca_file = "exchange.pem"
  }
}

# Exchange Online, over EWS and over Microsoft Graph. For Microsoft's cloud these two blocks can be left out: tenant, app and
# secret stand in RoomsAppSettings.config there, and all else is known.
sync_mode "O365" {
  cloud         = "custom"
  authority     = %[5]q
  url           = %[6]q
  tenant_id     = %[8]q
  app_id        = %[9]q
  client_secret = %[10]q
  http {
    ca_file = "exchange.pem"
  }
}

sync_mode "Microsoft365" {
  cloud         = "custom"
  authority     = %[5]q
  url           = %[7]q
  tenant_id     = %[8]q
  app_id        = %[9]q
  client_secret = %[10]q
  http {
    ca_file = "exchange.pem"
  }
}
`

// writeConfiguration writes the folder of the configuration, and persons.csv, which is imported over REST.
func writeConfiguration(s settings) (dir string, err error) {
	dir = filepath.Join(s.dir, "configs")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the folder of the configuration: %w", err)
	}
	c := s.cloud
	for name, data := range map[string][]byte{
		"RoomsAppSettings.config": []byte(roomsFile),
		"roomwire.hcl": fmt.Appendf(nil, hclFile, s.notifications, s.api, filepath.ToSlash(s.plugins), s.exchange,
			c.login, c.ews, c.graph, c.tenant, c.app, c.secret),
		"exchange.pem": s.certificate,
		"persons.csv":  []byte(personsCSV(s.exchange)),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return "", fmt.Errorf("write the configuration: %w", err)
		}
	}
	return dir, nil
}

// personsCSV is the directory as it is imported: people with their sync modes, and what can be booked.
func personsCSV(url string) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write([]string{"id", "email", "display_name", "kind", "sync_mode", "sync_url"})
	for _, p := range cast() {
		if p.mode == "Exchange2013" {
			_ = w.Write([]string{p.id, p.email, p.name, p.kind, p.mode, url})
			continue
		}
		_ = w.Write([]string{p.id, p.email, p.name, p.kind, p.mode, ""})
	}
	w.Flush() // into memory: cannot fail
	return b.String()
}
