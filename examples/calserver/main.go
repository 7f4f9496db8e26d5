// Command calserver is a calendar server on this machine to try a backend with: that of package memcal, which keeps
// everything in memory. What it speaks: go doc github.com/roomwire/roomwire/sdk/backendtest/memcal
//
//	go run github.com/roomwire/roomwire/examples/calserver -token t0ken dora@example.com
package main

import (
	"flag"
	"log"
	"net/http"
	"time"

	"github.com/roomwire/roomwire/sdk/backendtest/memcal"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8090", "the address to answer on")
	token := flag.String("token", "", "what requests must bear as \"Authorization: Bearer TOKEN\"; by default everybody is answered")
	flag.Parse()
	if flag.NArg() == 0 {
		log.Fatal("say whose calendars there are: calserver [-listen ADDRESS] [-token TOKEN] dora@example.com …")
	}
	calendars := memcal.New(flag.Args()...)
	if *token != "" {
		calendars.Require(*token)
	}
	log.Printf("%d calendars at http://%s/calendars/%s; Ctrl-C ends it, and they are gone", flag.NArg(), *listen, flag.Arg(0))
	server := &http.Server{Addr: *listen, Handler: calendars, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}
