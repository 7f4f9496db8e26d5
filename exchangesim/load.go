package exchangesim

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Many describes appointments that are made all at once.
type Many struct {
	Count int `json:"count"`
	// Like is what each is like, but for the time; {n} in its subject becomes the number of the appointment, from 1.
	Like Appointment `json:"like"`
	// Start is when the first one starts; zero: at 8 o'clock UTC tomorrow. Every is from one start to the next and Length how
	// long each is; 0: an hour and half an hour.
	Start  time.Time    `json:"start"`
	Every  Milliseconds `json:"every_ms"`
	Length Milliseconds `json:"length_ms"`
	// Marked is how many, spread evenly, bear Properties, in which {n} becomes the number of the marked one, from 1.
	Marked     int               `json:"marked"`
	Properties map[string]string `json:"properties"`
}

// CreateMany makes appointments, and returns their ids in the order of their starts. Subscribers are told of each.
func (o *Outlook) CreateMany(m Many) (ids []string, err error) {
	if m.Count < 1 || m.Marked < 0 || m.Marked > m.Count {
		return nil, fmt.Errorf("%d appointments, %d of them marked, cannot be made", m.Count, m.Marked)
	}
	if m.Every == 0 {
		m.Every = Milliseconds(time.Hour)
	}
	if m.Length == 0 {
		m.Length = Milliseconds(30 * time.Minute)
	}
	if m.Start.IsZero() {
		m.Start = o.server.now().UTC().Truncate(24 * time.Hour).Add(32 * time.Hour)
	}
	ids = make([]string, 0, m.Count)
	err = o.with(func(c *call, b *mailbox) error {
		for i := range m.Count {
			id, err := c.createIn(b, m.appointment(i))
			if err != nil {
				return fmt.Errorf("appointment %d of %d: %w", i+1, m.Count, err)
			}
			ids = append(ids, id)
		}
		return nil
	})
	return ids, err
}

// appointment is one of them, counted from 0.
func (m Many) appointment(i int) Appointment {
	a := m.Like
	if a.Subject == "" {
		a.Subject = "Appointment {n}"
	}
	a.Subject = numbered(a.Subject, i+1)
	a.Start = m.Start.Add(time.Duration(i) * time.Duration(m.Every))
	a.End = a.Start.Add(time.Duration(m.Length))
	before, upTo := i*m.Marked/m.Count, (i+1)*m.Marked/m.Count
	if upTo == before {
		return a
	}
	properties := map[string]string{}
	for key, value := range a.Properties {
		properties[key] = value
	}
	for key, value := range m.Properties {
		properties[key] = numbered(value, upTo)
	}
	a.Properties = properties
	return a
}

func numbered(text string, n int) string { return strings.ReplaceAll(text, "{n}", strconv.Itoa(n)) }
