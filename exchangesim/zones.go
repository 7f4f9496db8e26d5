package exchangesim

import (
	"slices"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // so that the answers do not depend on the machine
)

// windowsZones maps the time zone ids of Windows to those of the IANA database (CLDR's windowsZones, territory 001).
var windowsZones = map[string]string{
	"Dateline Standard Time": "Etc/GMT+12", "UTC-11": "Etc/GMT+11", "Aleutian Standard Time": "America/Adak",
	"Hawaiian Standard Time": "Pacific/Honolulu", "Marquesas Standard Time": "Pacific/Marquesas", "Alaskan Standard Time": "America/Anchorage",
	"UTC-09": "Etc/GMT+9", "Pacific Standard Time (Mexico)": "America/Tijuana", "UTC-08": "Etc/GMT+8",
	"Pacific Standard Time": "America/Los_Angeles", "US Mountain Standard Time": "America/Phoenix", "Yukon Standard Time": "America/Whitehorse",
	"Mountain Standard Time (Mexico)": "America/Mazatlan", "Mountain Standard Time": "America/Denver",
	"Central America Standard Time": "America/Guatemala", "Central Standard Time": "America/Chicago",
	"Easter Island Standard Time": "Pacific/Easter", "Central Standard Time (Mexico)": "America/Mexico_City",
	"Canada Central Standard Time": "America/Regina", "SA Pacific Standard Time": "America/Bogota",
	"Eastern Standard Time (Mexico)": "America/Cancun", "Eastern Standard Time": "America/New_York", "Haiti Standard Time": "America/Port-au-Prince",
	"Cuba Standard Time": "America/Havana", "US Eastern Standard Time": "America/Indiana/Indianapolis",
	"Turks And Caicos Standard Time": "America/Grand_Turk", "Paraguay Standard Time": "America/Asuncion", "Atlantic Standard Time": "America/Halifax",
	"Venezuela Standard Time": "America/Caracas", "Central Brazilian Standard Time": "America/Cuiaba", "SA Western Standard Time": "America/La_Paz",
	"Pacific SA Standard Time": "America/Santiago", "Newfoundland Standard Time": "America/St_Johns", "Tocantins Standard Time": "America/Araguaina",
	"E. South America Standard Time": "America/Sao_Paulo", "SA Eastern Standard Time": "America/Cayenne",
	"Argentina Standard Time": "America/Buenos_Aires", "Greenland Standard Time": "America/Godthab", "Montevideo Standard Time": "America/Montevideo",
	"Magallanes Standard Time": "America/Punta_Arenas", "Saint Pierre Standard Time": "America/Miquelon", "Bahia Standard Time": "America/Bahia",
	"UTC-02": "Etc/GMT+2", "Mid-Atlantic Standard Time": "Etc/GMT+2", "Azores Standard Time": "Atlantic/Azores",
	"Cape Verde Standard Time": "Atlantic/Cape_Verde", "UTC": "UTC", "GMT Standard Time": "Europe/London",
	"Greenwich Standard Time": "Atlantic/Reykjavik", "Sao Tome Standard Time": "Africa/Sao_Tome", "Morocco Standard Time": "Africa/Casablanca",
	"W. Europe Standard Time": "Europe/Berlin", "Central Europe Standard Time": "Europe/Budapest", "Romance Standard Time": "Europe/Paris",
	"Central European Standard Time": "Europe/Warsaw", "W. Central Africa Standard Time": "Africa/Lagos", "Jordan Standard Time": "Asia/Amman",
	"GTB Standard Time": "Europe/Bucharest", "Middle East Standard Time": "Asia/Beirut", "Egypt Standard Time": "Africa/Cairo",
	"E. Europe Standard Time": "Europe/Chisinau", "Syria Standard Time": "Asia/Damascus", "West Bank Standard Time": "Asia/Hebron",
	"South Africa Standard Time": "Africa/Johannesburg", "FLE Standard Time": "Europe/Kiev", "Israel Standard Time": "Asia/Jerusalem",
	"South Sudan Standard Time": "Africa/Juba", "Kaliningrad Standard Time": "Europe/Kaliningrad", "Sudan Standard Time": "Africa/Khartoum",
	"Libya Standard Time": "Africa/Tripoli", "Namibia Standard Time": "Africa/Windhoek", "Arabic Standard Time": "Asia/Baghdad",
	"Turkey Standard Time": "Europe/Istanbul", "Arab Standard Time": "Asia/Riyadh", "Belarus Standard Time": "Europe/Minsk",
	"Russian Standard Time": "Europe/Moscow", "E. Africa Standard Time": "Africa/Nairobi", "Iran Standard Time": "Asia/Tehran",
	"Arabian Standard Time": "Asia/Dubai", "Astrakhan Standard Time": "Europe/Astrakhan", "Azerbaijan Standard Time": "Asia/Baku",
	"Russia Time Zone 3": "Europe/Samara", "Mauritius Standard Time": "Indian/Mauritius", "Saratov Standard Time": "Europe/Saratov",
	"Georgian Standard Time": "Asia/Tbilisi", "Volgograd Standard Time": "Europe/Volgograd", "Caucasus Standard Time": "Asia/Yerevan",
	"Afghanistan Standard Time": "Asia/Kabul", "West Asia Standard Time": "Asia/Tashkent", "Ekaterinburg Standard Time": "Asia/Yekaterinburg",
	"Pakistan Standard Time": "Asia/Karachi", "Qyzylorda Standard Time": "Asia/Qyzylorda", "India Standard Time": "Asia/Calcutta",
	"Sri Lanka Standard Time": "Asia/Colombo", "Nepal Standard Time": "Asia/Katmandu", "Central Asia Standard Time": "Asia/Bishkek",
	"Bangladesh Standard Time": "Asia/Dhaka", "Omsk Standard Time": "Asia/Omsk", "Myanmar Standard Time": "Asia/Rangoon",
	"SE Asia Standard Time": "Asia/Bangkok", "Altai Standard Time": "Asia/Barnaul", "W. Mongolia Standard Time": "Asia/Hovd",
	"North Asia Standard Time": "Asia/Krasnoyarsk", "N. Central Asia Standard Time": "Asia/Novosibirsk", "Tomsk Standard Time": "Asia/Tomsk",
	"China Standard Time": "Asia/Shanghai", "North Asia East Standard Time": "Asia/Irkutsk", "Singapore Standard Time": "Asia/Singapore",
	"W. Australia Standard Time": "Australia/Perth", "Taipei Standard Time": "Asia/Taipei", "Ulaanbaatar Standard Time": "Asia/Ulaanbaatar",
	"Aus Central W. Standard Time": "Australia/Eucla", "Transbaikal Standard Time": "Asia/Chita", "Tokyo Standard Time": "Asia/Tokyo",
	"North Korea Standard Time": "Asia/Pyongyang", "Korea Standard Time": "Asia/Seoul", "Yakutsk Standard Time": "Asia/Yakutsk",
	"Cen. Australia Standard Time": "Australia/Adelaide", "AUS Central Standard Time": "Australia/Darwin",
	"E. Australia Standard Time": "Australia/Brisbane", "AUS Eastern Standard Time": "Australia/Sydney",
	"West Pacific Standard Time": "Pacific/Port_Moresby", "Tasmania Standard Time": "Australia/Hobart", "Vladivostok Standard Time": "Asia/Vladivostok",
	"Lord Howe Standard Time": "Australia/Lord_Howe", "Bougainville Standard Time": "Pacific/Bougainville",
	"Russia Time Zone 10": "Asia/Srednekolymsk", "Magadan Standard Time": "Asia/Magadan", "Norfolk Standard Time": "Pacific/Norfolk",
	"Sakhalin Standard Time": "Asia/Sakhalin", "Central Pacific Standard Time": "Pacific/Guadalcanal", "Russia Time Zone 11": "Asia/Kamchatka",
	"New Zealand Standard Time": "Pacific/Auckland", "UTC+12": "Etc/GMT-12", "Kamchatka Standard Time": "Asia/Kamchatka", "Fiji Standard Time": "Pacific/Fiji",
	"Chatham Islands Standard Time": "Pacific/Chatham", "UTC+13": "Etc/GMT-13", "Tonga Standard Time": "Pacific/Tongatapu",
	"Samoa Standard Time": "Pacific/Apia", "Line Islands Standard Time": "Pacific/Kiritimati",
}

// zoneOf returns the zone with a Windows id.
func zoneOf(id string) (*time.Location, bool) {
	loc, ok := locations()[id]
	return loc, ok
}

// locations are the zones by their Windows ids, read once: every time in every answer needs one.
var locations = sync.OnceValue(func() map[string]*time.Location {
	all := make(map[string]*time.Location, len(windowsZones))
	for id, name := range windowsZones {
		if loc, err := time.LoadLocation(name); err == nil {
			all[id] = loc
		}
	}
	return all
})

// mustZone is zoneOf for ids that were checked when they came in; UTC for all others.
func mustZone(id string) *time.Location {
	if loc, ok := zoneOf(id); ok {
		return loc
	}
	return time.UTC
}

// zoneIDs are the known Windows ids, sorted by name.
func zoneIDs() []string {
	ids := make([]string, 0, len(windowsZones))
	for id := range windowsZones {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// zoneDefinition reads a TimeZoneDefinition, StartTimeZone or EndTimeZone: by id, or, for clients that send rules instead, by
// the display name that Windows zones are known under here.
func zoneDefinition(n *node) (string, error) {
	id := n.attr("Id")
	if _, ok := zoneOf(id); ok {
		return id, nil
	}
	for _, known := range zoneIDs() {
		if strings.EqualFold(known, id) || id == "" && strings.EqualFold(known, n.attr("Name")) {
			return known, nil
		}
	}
	return "", fail("ErrorTimeZone", "The time zone %q isn't valid.", id)
}

// zoneName is the display name of a zone.
func zoneName(id string) string {
	loc := mustZone(id)
	_, offset := time.Date(2026, time.January, 15, 0, 0, 0, 0, loc).Zone()
	_, july := time.Date(2026, time.July, 15, 0, 0, 0, 0, loc).Zone()
	offset = min(offset, july)
	sign := '+'
	if offset < 0 {
		sign, offset = '-', -offset
	}
	place := windowsZones[id]
	if i := strings.LastIndexByte(place, '/'); i >= 0 && !strings.HasPrefix(place, "Etc/") {
		place = strings.ReplaceAll(place[i+1:], "_", " ")
	} else {
		place = id
	}
	if id == "UTC" {
		return "(UTC) Coordinated Universal Time"
	}
	return "(UTC" + string(sign) + time.Unix(int64(offset), 0).UTC().Format("15:04") + ") " + place
}

// parseTime reads an xs:dateTime; one without an offset is meant in loc.
func parseTime(s string, loc *time.Location) (time.Time, error) {
	s = strings.TrimSpace(s)
	for _, layout := range []string{"2006-01-02T15:04:05Z07:00", "2006-01-02Z07:00"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, loc); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fail("ErrorSchemaValidation", "%q is not a valid xs:dateTime.", s)
}
