package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/host/internal/api/client"
	"github.com/roomwire/roomwire/host/internal/app"
	"github.com/roomwire/roomwire/host/internal/config"
)

// tenant is the demonstration's only one.
const tenant = "Default"

// eagerRetry is how soon the stand-in repeats a notification that was not taken. Exchange waits half a minute.
const eagerRetry = 250 * time.Millisecond

type stageOptions struct {
	dir, plugins, version string
}

// stage is everything that runs: the Exchange stand-in and the host.
type stage struct {
	dir   string
	log   *logbook
	sim   *exchangesim.Server
	https *exchangesim.Listener // what the host is told of
	http  *exchangesim.Listener // the control API without TLS, for curl
	cloud cloud
	cfg   *config.Config
	host  *app.App
	rest  *client.ClientWithResponses
	// ctx ends when the demonstration is stopped, and when the host ends on its own; its cause says why.
	ctx      context.Context
	cleanups []func()
	simTook  time.Duration
	hostTook time.Duration
}

// raise starts everything. Nothing is left behind if it fails.
func raise(ctx context.Context, o stageOptions) (_ *stage, err error) {
	st := &stage{dir: o.dir}
	defer func() {
		if err != nil {
			st.close()
		}
	}()
	logs := filepath.Join(o.dir, "log")
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the logs: %w", err)
	}
	if st.log, err = openLogbook(filepath.Join(logs, "roomwire.log")); err != nil {
		return nil, err
	}
	st.onClose(st.log.close)
	if err := st.startExchange(logs); err != nil {
		return nil, err
	}
	if err := st.startHost(ctx, o); err != nil {
		return nil, err
	}
	return st, nil
}

func (st *stage) onClose(f func()) { st.cleanups = append(st.cleanups, f) }

// close ends everything, what was started last first, and waits for it.
func (st *stage) close() {
	for i := len(st.cleanups) - 1; i >= 0; i-- {
		st.cleanups[i]()
	}
	st.cleanups = nil
}

func (st *stage) startExchange(logs string) error {
	began := time.Now()
	file, err := os.OpenFile(filepath.Join(logs, "exchangesim.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the log of the Exchange stand-in: %w", err)
	}
	st.onClose(func() { _ = file.Close() })
	organization := exchangesim.SampleTenant()
	st.sim, err = exchangesim.New(exchangesim.Options{
		People:             people(),
		Tenants:            []exchangesim.Tenant{organization},
		Logger:             slog.New(slog.NewTextHandler(file, nil)),
		RetryBase:          eagerRetry,
		ExtendedProtection: exchangesim.ProtectionAllow,
		CopyToAttendees:    true,
	})
	if err != nil {
		return fmt.Errorf("start the Exchange stand-in: %w", err)
	}
	st.onClose(func() { _ = st.sim.Close() })
	if st.https, err = st.sim.StartTLS("127.0.0.1:0"); err != nil {
		return fmt.Errorf("start the Exchange stand-in: %w", err)
	}
	st.onClose(func() { _ = st.https.Close() })
	online, err := st.sim.StartOnlineTLS("127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("start the Exchange Online stand-in: %w", err)
	}
	st.onClose(func() { _ = online.Close() })
	st.cloud = cloudAt(online, organization)
	if st.http, err = st.sim.Start("127.0.0.1:0"); err != nil {
		return fmt.Errorf("start the Exchange stand-in: %w", err)
	}
	st.onClose(func() { _ = st.http.Close() })
	st.simTook = time.Since(began)
	return nil
}

// people are those of the sample and those whose mailboxes are in Exchange Online.
func people() []exchangesim.Person {
	list := exchangesim.SamplePeople()
	for i := range list {
		list[i].Place = exchangesim.PlaceOnPremises
		if list[i].Room { // they are booked in the web app alone: their own mailboxes do not answer
			unattended := exchangesim.DefaultProcessing()
			unattended.AutomateProcessing = "None"
			list[i].Processing = &unattended
		}
	}
	list = append(list, exchangesim.Person{Name: roomC.name, Address: roomC.email, Place: exchangesim.PlaceOnPremises, Room: true},
		exchangesim.Person{Name: fred.name, Address: fred.email, Place: exchangesim.PlaceOnPremises})
	for _, p := range []player{dora, emil} {
		list = append(list, exchangesim.Person{Name: p.name, Address: p.email, Place: exchangesim.PlaceOnline})
	}
	return list
}

// cloudAt is the stand-in's cloud. EWS and Graph have different names, as in the real one: a token is for one of them.
func cloudAt(at *exchangesim.Listener, organization exchangesim.Tenant) cloud {
	outlook, app := strings.Replace(at.URL, "127.0.0.1", "localhost", 1), organization.Apps[0]
	return cloud{
		ews: outlook + "/EWS/Exchange.asmx", graph: at.URL + "/v1.0", login: outlook,
		tenant: organization.ID, app: app.ID, secret: app.Secrets[0].Value,
	}
}

func (st *stage) startHost(ctx context.Context, o stageOptions) error {
	began := time.Now()
	log := hclog.New(&hclog.LoggerOptions{Name: "roomwire", Level: hclog.Debug, Output: st.log})
	if err := st.openHost(ctx, o, log); err != nil {
		return err
	}
	running, ended := context.WithCancelCause(ctx)
	st.ctx = running
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := st.host.Run(running)
		if err == nil {
			err = errors.New("it stopped on its own")
		}
		ended(fmt.Errorf("the host ended: %w", err))
	}()
	st.onClose(func() {
		ended(context.Canceled)
		<-done
		st.host.Close()
	})

	ready, cancel := context.WithTimeout(running, stepLimit)
	defer cancel()
	// The host writes the key of its API to a file that only this user can read: the sign that it runs.
	err := until(ready, func() (err error) {
		st.rest, err = client.Local(app.DataDir(st.cfg))
		return err
	})
	if err != nil {
		return fmt.Errorf("start the host: %w%s", err, st.lastWords())
	}
	st.hostTook = time.Since(began)
	return nil
}

// openHost makes the host with a configuration of its own. The addresses were free when they were looked for: should
// another program have taken one meanwhile, others are looked for.
func (st *stage) openHost(ctx context.Context, o stageOptions, log hclog.Logger) error {
	for try := 1; ; try++ {
		ports, err := freeAddresses(2)
		if err != nil {
			return err
		}
		dir, err := writeConfiguration(settings{
			dir: o.dir, plugins: o.plugins, notifications: ports[0], api: ports[1],
			exchange: st.https.URL + "/EWS/Exchange.asmx", certificate: st.https.CertificatePEM, cloud: st.cloud,
		})
		if err != nil {
			return err
		}
		load := func() (*config.Config, config.Diagnostics) { return config.Load(config.Source{Dir: dir}) }
		cfg, diags := load()
		if diags.HasErrors() {
			return fmt.Errorf("the demonstration's own configuration is not valid:\n%s", diags)
		}
		st.cfg = cfg
		st.host, err = app.New(ctx, app.Options{Config: cfg, Load: load, Log: log, Version: o.version})
		if _, network := errors.AsType[*net.OpError](err); network && try < 3 {
			continue
		}
		if err != nil {
			return fmt.Errorf("start the host: %w", err)
		}
		return nil
	}
}

// freeAddresses finds n loopback addresses that nobody listens at.
func freeAddresses(n int) ([]string, error) {
	var addresses []string
	for range n {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer ln.Close()
		addresses = append(addresses, ln.Addr().String())
	}
	return addresses, nil
}

// lastWords are the log's last lines, for an error.
func (st *stage) lastWords() string {
	text := ""
	for _, l := range st.log.since(0, linesShown) {
		text += "\n  " + l
	}
	return text
}

// introduce says what was started.
func (st *stage) introduce(p *paper) {
	p.fact("Exchange", st.https.URL+"/EWS/Exchange.asmx, with a certificate of its own ("+milliseconds(st.simTook)+")")
	p.fact("Exchange Online", st.cloud.ews+" and "+st.cloud.graph+", of the same stand-in")
	p.fact("Host", st.host.APIURL()+" for the booking system ("+milliseconds(st.hostTook)+")")
	p.fact("Endpoint", st.host.NotificationsURL()+", where Exchange reports changes")
	p.fact("Configuration", st.cfg.Dir)
	p.fact("Logs", filepath.Join(st.dir, "log"))
}
