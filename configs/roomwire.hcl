# Roomwire's own settings. Every one has a default that works: a setting behind
# a # shows its default or an example. What an installation of ROOMS already
# has, RoomsAppSettings.config in this folder, is taken as it is.
#
#   roomwire config check     explains every fault with line and remedy
#   roomwire config show      prints what is in force and where it comes from
#   roomwire config apply     has a running host take changes over
#
# Each setting can come from the environment instead, which goes first:
# ROOMWIRE_ and its path, e.g. ROOMWIRE_STORE_URL, ROOMWIRE_TENANT_DEFAULT_ROOT_URL,
# ROOMWIRE_SYNC_MODE_EWS1_PASSWORD. A text may be env("NAME") or file("FILE"):
# so passwords stay out of this file. A relative path is meant from this folder.
# A backslash in a text is written twice. Complete reference:
# docs/administrator/configuration.md

# The addresses the host answers on.
listen {
  notifications = ":8080"          # public: the notification endpoint and /healthz, nothing else
  api           = "127.0.0.1:8081" # REST: for the booking system and the commands

  # TLS of its own, for both. Behind IIS or nginx, plain HTTP is right.
  # cert_file = "certs/roomwire.pem"
  # key_file  = "certs/roomwire.key"

  # TLS for one of them: a block in place of the setting.
  # notifications {
  #   address   = ":8443"
  #   cert_file = "certs/public.pem"
  #   key_file  = "certs/public.key"
  # }
  # api {
  #   address = "127.0.0.1:8081"
  # }
}

# Where everything that must outlive a crash is kept.
store {
  url = "sqlite:data/roomwire.db"
  # url = env("ROOMWIRE_DATABASE")   # postgres://USER:PASSWORD@HOST/DATABASE
}

# The plugin binaries, and plugins.lock with their pins. A relative folder is
# meant from the folder of the roomwire executable.
plugins {
  dir = "plugins"
  # memory_limit = 1024 # MiB that one plugin's process may use; one that uses more is replaced. 0: no limit
}

log {
  level  = "info" # trace, debug, info, warn, error
  format = "text" # text, json
}

# A running host takes changes over at `roomwire config apply` (Config.bat,
# config.sh) or SIGHUP; with watch = true as soon as a file here is saved.
config {
  watch = false
}

# One block for each ROOMS installation (Mandant); the name is the first path
# element of its root URL.
tenant "Default" {
  root_url  = "https://rooms.example.com/Default" # "Applikation Root-Url"
  time_zone = "Europe/Berlin"                     # of times that come without one; default UTC
  # room_sync = true                              # whether rooms' mailboxes are synced, where rooms.sync does not fit
}

# The numbers of the sync engine. Durations have their unit: "90s", "30m", "4h".
sync {
  # subscription_interval = "240m" # "Exchange: Subscriptions Intervall"
  # status_frequency      = "30m"  # Exchange's sign of life on a subscription, whole minutes
  # back_sync_delay       = "0s"   # "BackSync delay in minutes"
  # coalesce              = "2s"   # notices of one mailbox within this time are one pass
  # reconcile_interval    = "24h"  # a mailbox is compared in full
  # poll_interval         = "5m"   # a mailbox is read by the clock where no notices can arrive
  # attempt_timeout       = "2m"   # one pass over one mailbox, or one write
  # retry_delay           = "30s"  # the first wait after a fault that passes; it doubles up to 10 minutes
  # workers_per_server    = 10     # calls under way to one server
  # workers_per_mailbox   = 1      # calls under way for one mailbox; not used yet

  # More deletions in one pass than the limit, if they are also more than the
  # share of the mailbox's synced items: stop and ask an administrator.
  # mass_deletion_limit = 20
  # mass_deletion_share = 0.1
  # mass_change_limit = 50
  # mass_change_share = 0.2

  # rollback_tries = 5 # conflict behaviour Rollback
  # cancel_tries   = 2 # conflict behaviour Cancel

  # follow_moves = false # move a person to the sync mode by which the mailbox is found, once its own does not find it

  # keep_timeline = "2160h" # what was done and why: 90 days
  # keep_changes  = "9600h" # the change feed: 400 days

  # resolve_distribution_groups = false # a group that is invited in Outlook: its members; also ExchangeSyncResolveDistributionGroups

  # Private and confidential bookings and items: told to the other side in full,
  # or as "busy" blocks without title, notes and place.
  # private = "full"
}

# The calendars of rooms: whether the mailboxes of resources are synced, so that
# a room invited in Outlook is booked. A tenant may say otherwise: room_sync.
rooms {
  # sync = false # "Exchange Ressource Sync enabled"; also ExchangeRessourceSyncEnabled
}

# Mails to people about trouble with the sync of their bookings. Without smtp
# none are sent.
#
# mail {
#   smtp      = "smtp://mail.example.com:25" # or smtps://mail.example.com:465
#   user      = "roomwire"
#   password  = env("ROOMWIRE_MAIL_PASSWORD")
#   from      = "Rooms <rooms@example.com>"
#   reply_to  = "it@example.com"
#   ca_file   = "ca.pem"
#   language  = "de"
#   templates = "mails" # letters of your own; "roomwire config mails --write DIR"
# }

# Ways to reach mailboxes, as persons name them. The modes ROOMS knows need no
# block when their keys are in RoomsAppSettings.config: Exchange2013 (on-premises
# 2013, 2016, 2019, SE), Exchange2016Pull, O365, O365Pull, Microsoft365. EWS1
# and EWS2 are two more slots for servers on-premises.
#
# sync_mode "EWS1" {
#   backend = "exchange2013"
#   auth    = ["ntlm", "basic"] # the first of these that the server offers; never Basic after NTLM was refused
#   url     = "https://mail.example.com/EWS/Exchange.asmx" # prefilled for persons that have none
#   pull    = false  # true: the same as notices = "pull"
#   notices = "push" # how changes are learnt of: push, streaming, pull, poll; what does not work gives way to the next
#
#   use_impersonation = true # also ExchangeUseImpersonation; false: delegate access, read by the clock
#
#   user     = "EXAMPLE\\svc-rooms" # or svc-rooms@example.com
#   password = env("EWS1_PASSWORD")
#   domain   = ""
#   channel_binding = "auto" # ntlm, Extended Protection: off, auto, require
#
#   http {
#     ca_file = "certs/company-ca.pem"
#     proxy   = "http://proxy.example.com:3128"
#     timeout = "100s"
#   }
#
#   # The property by which ROOMS marks its items; installations differ.
#   markers {
#     appointment_oid_set  = "PublicStrings" # or a GUID
#     appointment_oid_name = "AppointmentOid"
#   }
#
#   # Whatever else a plugin takes, by the names it declares; config check
#   # compares. Also ROOMWIRE_SYNC_MODE_EWS1_AUTH_SETTINGS_NTLM_… and
#   # ROOMWIRE_SYNC_MODE_EWS1_BACKEND_SETTINGS_…
#   auth_settings "ntlm" {}
#   backend_settings {}
# }
#
# sync_mode "O365" {
#   backend       = "exchangeonline"
#   auth          = ["oauth"]
#   tenant_id     = "00000000-0000-0000-0000-000000000000"
#   app_id        = "00000000-0000-0000-0000-000000000000"
#   client_secret = file("secrets/o365")
#   client_secret_expires = "2027-01-31" # roomwire doctor warns ahead
#   cloud         = "global" # usgov, usgov-dod, china, custom
#   # while a secret is replaced; the one that works is used:
#   # client_secret_2         = file("secrets/o365-new")
#   # client_secret_2_expires = "2029-01-31"
#   # in place of client_secret:
#   # certificate_file     = "certs/app.pfx"
#   # certificate_password = env("APP_PFX_PASSWORD")
#   # with cloud = "custom", besides url:
#   # authority = "https://login.example.com"
#
#   # The mailboxes of another mail domain lie in another Microsoft 365 tenant.
#   # Here, too: url, auth_settings, backend_settings. Also
#   # ROOMWIRE_SYNC_MODE_O365_DOMAIN_OVERRIDE_SUBSIDIARY_EXAMPLE_CLIENT_SECRET.
#   domain_override "subsidiary.example" {
#     tenant_id     = "00000000-0000-0000-0000-000000000000"
#     app_id        = "00000000-0000-0000-0000-000000000000"
#     client_secret = file("secrets/subsidiary")
#   }
# }
