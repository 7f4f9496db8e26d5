package config

import "slices"

// kind says how the text of a setting is read.
type kind int

const (
	kindText     kind = iota
	kindSecret        // text that is never shown
	kindBool          // true or false
	kindInt           // a whole number in min..max
	kindShare         // a number in min..max
	kindDuration      // Go notation; min and max in seconds
	kindURL           // absolute, http or https
	kindProxy         // a URL that may hold a password
	kindStore         // the store's URL
	kindFile          // a file that must be readable
	kindFolder        // a path
	kindAddr          // host:port
	kindChoice        // one of choices
	kindName          // part of a plugin's file name
	kindNames         // a list of kindName
	kindZone          // an IANA time zone
	kindSMTP          // the URL of a mail server
	kindMailbox       // a mail address, with or without a name
	kindLabel         // any text without control characters
	kindDay           // a day, YYYY-MM-DD
)

// attr describes one setting. The tables of attrs are the reference: the
// documentation and the example are tested against them.
type attr struct {
	name     string
	kind     kind
	def      string // as it would be written, without quotes; "" is unset
	min, max float64
	unit     string   // how the number is meant: only for ROOMS keys, which have bare numbers
	choices  []string // for kindChoice
	doc      string   // one sentence
}

// block describes one kind of block in roomwire.hcl.
type block struct {
	name   string
	label  string // what the label names; "" when the block has none
	doc    string
	attrs  []attr
	blocks []block
	free   bool // any attribute may stand in it: the settings of a plugin
}

func (b block) attr(name string) (attr, bool) {
	for _, a := range b.attrs {
		if a.name == name {
			return a, true
		}
	}
	return attr{}, false
}

func (b block) block(name string) (block, bool) {
	for _, c := range b.blocks {
		if c.name == name {
			return c, true
		}
	}
	return block{}, false
}

// names returns what may stand in the block.
func (b block) names() []string {
	var out []string
	for _, a := range b.attrs {
		out = append(out, a.name)
	}
	for _, c := range b.blocks {
		if !slices.Contains(out, c.name) {
			out = append(out, c.name)
		}
	}
	return out
}

const day = 24 * 3600

// schema returns roomwire.hcl's table.
func schema() block {
	return block{blocks: []block{listenBlock(), {
		name: "store", doc: "Where everything that must outlive a crash is kept.",
		attrs: []attr{{name: "url", kind: kindStore, def: "sqlite:data/roomwire.db",
			doc: "`sqlite:FILE`, relative to this file's folder, or `postgres://USER:PASSWORD@HOST/DATABASE`."}},
	}, {
		name: "plugins", doc: "Where the plugin binaries and plugins.lock are.",
		attrs: []attr{{name: "dir", kind: kindFolder, def: "plugins",
			doc: "A folder; a relative one is meant from the folder of the roomwire executable."},
			{name: "memory_limit", kind: kindInt, def: "1024", min: 0, max: 1 << 20,
				doc: "How much memory one plugin's process may use, in MiB; one that uses more is replaced by a new one. 0: no limit."}},
	}, {
		name: "log", doc: "What is logged and how.",
		attrs: []attr{
			{name: "level", kind: kindChoice, def: "info", choices: []string{"trace", "debug", "info", "warn", "error"},
				doc: "The least important messages to log: trace, debug, info, warn or error."},
			{name: "format", kind: kindChoice, def: "text", choices: []string{"text", "json"},
				doc: "text for people, json for log collectors."},
		},
	}, {
		name: "config", doc: "How a running host takes over a changed configuration.",
		attrs: []attr{{name: "watch", kind: kindBool, def: "false",
			doc: "true: as soon as a file of this folder changes, as `roomwire config apply` does. false: on that command or SIGHUP only."}},
	}, syncBlock(), {
		name: "rooms", doc: "The calendars of rooms and other resources.",
		attrs: []attr{{name: "sync", kind: kindBool, def: "false",
			doc: "\"Exchange Ressource Sync enabled\": whether the mailboxes of resources that have a sync mode are synced, so that a room invited in Outlook is booked. The ROOMS key ExchangeRessourceSyncEnabled gives the same; a tenant may say otherwise."}},
	}, mailBlock(), {
		name: "tenant", label: "the tenant (Mandant), the first path element of its root URL",
		doc: "One block for each ROOMS installation. Without any, there is one tenant called Default.",
		attrs: []attr{
			{name: "root_url", kind: kindURL, doc: "\"Applikation Root-Url\" of this installation, e.g. https://rooms.example.com/Default."},
			{name: "time_zone", kind: kindZone, def: "UTC", doc: "The IANA time zone of times that come without one, e.g. Europe/Berlin."},
			{name: "room_sync", kind: kindBool, doc: "Whether the mailboxes of this tenant's resources are synced; if it is not written, rooms.sync holds."},
			{name: "private", kind: kindChoice, choices: []string{"full", "busy"}, doc: "How private bookings and items of this tenant are told to the other side; if it is not written, sync.private holds."},
		},
	}, syncModeBlock()}}
}

func listenBlock() block {
	own := func(def string) []attr {
		return []attr{
			{name: "address", kind: kindAddr, def: def, doc: "host:port; without a host, every interface."},
			{name: "cert_file", kind: kindFile, doc: "PEM file with the certificate chain; with key_file, the listener speaks TLS."},
			{name: "key_file", kind: kindFile, doc: "PEM file with the private key."},
		}
	}
	const public, private = ":8080", "127.0.0.1:8081"
	return block{
		name: "listen", doc: "The addresses the host answers on.",
		attrs: []attr{
			{name: "notifications", kind: kindAddr, def: public, doc: "Public: the notification endpoint and /healthz, nothing else."},
			{name: "api", kind: kindAddr, def: private, doc: "REST: for the booking system and the commands of this machine."},
			{name: "cert_file", kind: kindFile, doc: "PEM file with the certificate chain for both listeners; with key_file, they speak TLS."},
			{name: "key_file", kind: kindFile, doc: "PEM file with the private key."},
		},
		blocks: []block{
			{name: "notifications", doc: "The same with a certificate of its own, in place of the attribute.", attrs: own(public)},
			{name: "api", doc: "The same with a certificate of its own, in place of the attribute.", attrs: own(private)},
		},
	}
}

func syncBlock() block {
	return block{
		name: "sync", doc: "The numbers of the sync engine and its schedule.",
		attrs: []attr{
			{name: "subscription_interval", kind: kindDuration, def: "240m", min: 60, max: 30 * day,
				doc: "\"Exchange: Subscriptions Intervall\": how often all push subscriptions are renewed."},
			{name: "status_frequency", kind: kindDuration, def: "30m", min: 60, max: 1440 * 60,
				doc: "How often Exchange sends a sign of life on a subscription, in whole minutes. It also bounds how long Exchange retries when the endpoint is away."},
			{name: "back_sync_delay", kind: kindDuration, def: "0s", min: 0, max: day,
				doc: "\"BackSync delay in minutes\": how long a notice waits before its mailbox is read."},
			{name: "coalesce", kind: kindDuration, def: "2s", min: 0, max: 300,
				doc: "Notices of one mailbox that arrive within this time are handled in one pass."},
			{name: "reconcile_interval", kind: kindDuration, def: "24h", min: 600, max: 30 * day,
				doc: "How often a mailbox is compared with its bookings in full."},
			{name: "poll_interval", kind: kindDuration, def: "5m", min: 5, max: day,
				doc: "How often a mailbox is read by the clock where no notices can arrive."},
			{name: "attempt_timeout", kind: kindDuration, def: "2m", min: 5, max: 3600,
				doc: "The time one pass over a mailbox or one write may take before it is tried again."},
			{name: "retry_delay", kind: kindDuration, def: "30s", min: 1, max: 600,
				doc: "How long a mailbox waits after a fault that passes, such as a server that is busy or away. The wait doubles with every fault in a row, up to ten minutes, and is never shorter than what the server asks for."},
			{name: "workers_per_server", kind: kindInt, def: "10", min: 1, max: 200,
				doc: "Calls under way to one server at a time; four times as many to Exchange Online and to Microsoft Graph, which are one host for everybody and count by mailbox."},
			{name: "workers_per_mailbox", kind: kindInt, def: "1", min: 1, max: 4,
				doc: "Calls under way for one mailbox at a time. Not used yet: it is one."},
			{name: "mass_deletion_limit", kind: kindInt, def: "20", min: 1, max: 1e6,
				doc: "More deletions than this in one pass over one mailbox, and more than mass_deletion_share, stop the mailbox until an administrator has looked."},
			{name: "mass_deletion_share", kind: kindShare, def: "0.1", min: 0, max: 1,
				doc: "The share of the mailbox's synced items, 0 to 1, that mass_deletion_limit is about."},
			{name: "mass_change_limit", kind: kindInt, def: "50", min: 1, max: 1e6,
				doc: "If more bookings than this, and more than mass_change_share, would be changed by one calendar in one pass, they wait until an administrator has looked."},
			{name: "mass_change_share", kind: kindShare, def: "0.2", min: 0, max: 1,
				doc: "The share of the mailbox's synced items, 0 to 1, that mass_change_limit is about."},
			{name: "rollback_tries", kind: kindInt, def: "5", min: 1, max: 100,
				doc: "Conflict behaviour Rollback: tries before sync of that booking is disabled."},
			{name: "cancel_tries", kind: kindInt, def: "2", min: 1, max: 100,
				doc: "Conflict behaviour Cancel: tries before sync of that booking is disabled."},
			{name: "follow_moves", kind: kindBool, def: "false",
				doc: "Whether a person whose mailbox is not found any more, but is by another sync mode, is moved to that one without anybody asking (roomwire person move)."},
			{name: "keep_timeline", kind: kindDuration, def: "2160h", min: day, max: 3650 * day,
				doc: "How long it is kept what was done and why: people's timelines, settled differences, test runs, mails, and webhook messages given up."},
			{name: "keep_changes", kind: kindDuration, def: "9600h", min: day, max: 3650 * day,
				doc: "How long the change feed is kept. A booking system that has not read for longer misses changes, and what is older can no longer be rejected."},
			{name: "resolve_distribution_groups", kind: kindBool, def: "false",
				doc: "Whether distribution groups are resolved to their members, Exchange to ROOMS. The ROOMS key ExchangeSyncResolveDistributionGroups gives the same. The booking has the members then, and the calendar keeps the group."},
			{name: "private", kind: kindChoice, def: "full", choices: []string{"full", "busy"},
				doc: "What the other side is told of private and confidential bookings and items: everything (full), or only when somebody is busy (busy): without title, notes and place, of a meeting with people invited without notes. A tenant may say otherwise."},
		},
	}
}

func syncModeBlock() block {
	return block{
		name: "sync_mode", label: "the sync mode, as persons name it",
		doc: "One block for each way to reach mailboxes. The modes ROOMS knows need none when their keys are in RoomsAppSettings.config.",
		attrs: slices.Concat([]attr{
			{name: "backend", kind: kindName, doc: "The backend plugin: exchange2013, exchangeonline, graph, or another that is installed."},
			{name: "auth", kind: kindNames, doc: "The auth plugins, the preferred one first: ntlm, basic, oauth, or others that are installed."},
			{name: "url", kind: kindURL, doc: "The server's URL, prefilled for persons that have none of their own."},
			{name: "pull", kind: kindBool, doc: "Ask the server for news at intervals instead of being called by it: the same as notices = \"pull\"."},
			{name: "notices", kind: kindChoice, choices: []string{"push", "streaming", "pull", "poll"},
				doc: "How changes in calendars are learnt of: push (Exchange calls in), streaming (connections to Exchange are kept open), pull (Exchange is asked at intervals) or poll (calendars are read by the clock). What does not work gives way to the next: push, streaming, poll; Microsoft Graph has no streaming and is asked in its place. The default is push; pull with pull = true; poll without impersonation, because a delegate cannot subscribe."},
			{name: "use_impersonation", kind: kindBool, doc: "true: the service user acts as the mailbox. false: delegate access by folder permission; such persons are read by the clock. The ROOMS key ExchangeUseImpersonation gives the same."},
		}, credentialAttrs()),
		blocks: []block{
			{name: "http", doc: "How the server is reached; plugins inherit no environment.", attrs: []attr{
				{name: "ca_file", kind: kindFile, doc: "PEM file with further certificate authorities to trust."},
				{name: "proxy", kind: kindProxy, doc: "The proxy's URL, e.g. http://proxy.example.com:3128."},
				{name: "timeout", kind: kindDuration, def: "100s", min: 1, max: 3600, doc: "The time one request may take."},
			}},
			{name: "markers", doc: "The property by which ROOMS marks its items; installations differ.", attrs: []attr{
				{name: "appointment_oid_set", kind: kindLabel, def: "PublicStrings", doc: "The property set: a name Exchange knows, or a GUID."},
				{name: "appointment_oid_name", kind: kindLabel, def: "AppointmentOid", doc: "The property's name."},
			}},
			overrideBlock(),
			{name: "auth_settings", label: "the auth plugin", free: true, doc: "Further settings of an auth plugin, by the names it declares."},
			{name: "backend_settings", free: true, doc: "Further settings of the backend plugin, by the names it declares."},
		},
	}
}

// credentialAttrs are the settings by which a sync mode logs in.
func credentialAttrs() []attr {
	return []attr{
		{name: "user", kind: kindText, doc: "ntlm, basic: the service user, as NAME, DOMAIN\\\\NAME or UPN."},
		{name: "password", kind: kindSecret, doc: "ntlm, basic: its password."},
		{name: "domain", kind: kindText, doc: "ntlm, basic: its domain."},
		{name: "channel_binding", kind: kindChoice, choices: []string{"off", "auto", "require"},
			doc: "ntlm: Extended Protection. auto sends the binding and goes without when the server refuses it."},
		{name: "tenant_id", kind: kindText, doc: "oauth: the directory (tenant) id."},
		{name: "app_id", kind: kindText, doc: "oauth: the application (client) id."},
		{name: "client_secret", kind: kindSecret, doc: "oauth: the client secret's value."},
		{name: "client_secret_2", kind: kindSecret, doc: "oauth: another client secret, while one is replaced: the one that works is used."},
		{name: "client_secret_expires", kind: kindDay, doc: "oauth: the day on which client_secret expires, YYYY-MM-DD; `roomwire doctor` warns 30 days ahead."},
		{name: "client_secret_2_expires", kind: kindDay, doc: "oauth: the same for client_secret_2."},
		{name: "certificate_file", kind: kindFile, doc: "oauth: PEM or PFX file with certificate and RSA key, in place of a client secret, or preferred to it."},
		{name: "certificate_password", kind: kindSecret, doc: "oauth: the password of certificate_file."},
		{name: "cloud", kind: kindChoice, choices: []string{"global", "usgov", "usgov-dod", "china", "custom"},
			doc: "oauth: which Microsoft cloud: global (the default), usgov (GCC High), usgov-dod, china; custom: any other, with url and authority."},
		{name: "authority", kind: kindURL, doc: "oauth, cloud custom: the login server's URL without the tenant, e.g. https://login.example.com."},
	}
}

// overrideBlock is what may be otherwise for the mailboxes of one mail domain.
func overrideBlock() block {
	return block{
		name: "domain_override", label: "the mail domain",
		doc: "Other settings for the mailboxes of one mail domain (not of the domains below it), such as another Microsoft 365 tenant's credentials. What is not written is as in the sync mode, but for credentials: as soon as one is written here, or an auth_settings block, all of them are.",
		attrs: slices.Concat([]attr{
			{name: "url", kind: kindURL, doc: "The server's URL, prefilled for persons that have none of their own."},
		}, credentialAttrs()),
		blocks: []block{
			{name: "auth_settings", label: "the auth plugin", free: true, doc: "Further settings of an auth plugin; none of the sync mode's are taken then."},
			{name: "backend_settings", free: true, doc: "Further settings of the backend plugin, in place of those of the sync mode that have the same name."},
		},
	}
}
