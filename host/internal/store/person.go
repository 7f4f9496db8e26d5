package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store/internal/db"
)

// A PersonRow is a person with the state of the sync.
type PersonRow struct {
	directory.Person
	State            PersonState
	Created, Updated time.Time
}

// A PersonFilter chooses persons; its zero value chooses all.
type PersonFilter struct {
	After  string // id of the last person of the page before
	Limit  int    // 0: as many as a page may hold, 1000
	Status Status // empty: any
	Kind   string // a directory.Kind; empty: any
	Mode   string // a sync mode; empty: any
	Way    string // how their notices arrive, see Mailbox; empty: any
	Prefix string // of id, e-mail address or name, whatever the case
	// UpdatedSince leaves out those who have not been made or changed since; zero: nobody.
	UpdatedSince time.Time
}

// A PutResult says what PutPerson did.
type PutResult struct {
	Created bool // there was no such person
	Changed bool // something is different from before; set with Created, too
	Moved   bool // what was linked before lies elsewhere: the address, sync mode or URL is another one
}

// A TakenError refuses an e-mail address that another person of the tenant has.
type TakenError struct {
	Email string
	By    string // id of the other person, if known
}

// Error implements error.
func (e *TakenError) Error() string {
	if e.By == "" {
		return fmt.Sprintf("e-mail address %s belongs to another person", e.Email)
	}
	return fmt.Sprintf("e-mail address %s belongs to person %q", e.Email, e.By)
}

// Person returns one person.
func (r Reads) Person(ctx context.Context, tenant, id string) (PersonRow, bool, error) {
	if err := r.hold(ctx, lockPerson, tenant, id); err != nil {
		return PersonRow{}, false, err
	}
	row, err := r.q.GetPerson(ctx, db.GetPersonParams{Tenant: tenant, ID: id})
	return personFound(row, err)
}

// PersonByEmail returns the person with this address, whatever its case; if nobody has it, the one who had it last: items go on naming
// people and rooms by the addresses that they were invited by.
func (r Reads) PersonByEmail(ctx context.Context, tenant, email string) (PersonRow, bool, error) {
	row, found, err := r.personAt(ctx, tenant, email)
	if err != nil || found || email == "" {
		return row, found, err
	}
	former, err := r.q.GetPersonByFormerEmail(ctx, db.GetPersonByFormerEmailParams{Tenant: tenant, EmailKey: directory.FoldEmail(email)})
	return personFound(former, err)
}

// personAt returns the person whose address this is now.
func (r Reads) personAt(ctx context.Context, tenant, email string) (PersonRow, bool, error) {
	row, err := r.q.GetPersonByEmail(ctx, db.GetPersonByEmailParams{
		Tenant: tenant, EmailKey: directory.FoldEmail(email),
	})
	return personFound(row, err)
}

// AddressedSince returns the epoch of a person's mailbox since which it has been reached by the present address: what was learnt in an
// earlier one may lie in another mailbox.
func (r Reads) AddressedSince(ctx context.Context, tenant, id string) (int64, error) {
	last, err := r.q.LastFormerEpoch(ctx, db.LastFormerEpochParams{Tenant: tenant, Person: id})
	if err != nil {
		return 0, fmt.Errorf("read former addresses of person %s: %w", id, err)
	}
	return last + 1, nil
}

func personFound(row db.Person, err error) (PersonRow, bool, error) {
	ok, err := found(err)
	if err != nil {
		return PersonRow{}, false, fmt.Errorf("read person: %w", err)
	}
	if !ok {
		return PersonRow{}, false, nil
	}
	return personFromRow(row), true, nil
}

// Persons returns the persons that f chooses, ordered by id.
func (r Reads) Persons(ctx context.Context, tenant string, f PersonFilter) ([]PersonRow, error) {
	rows, err := r.q.ListPersons(ctx, db.ListPersonsParams{
		Tenant: tenant, After: f.After, Status: string(f.Status), Kind: f.Kind, SyncMode: f.Mode, Way: f.Way,
		UpdatedSince: millis(f.UpdatedSince), Prefix: f.Prefix, Folded: strings.ToLower(f.Prefix), MaxRows: page(f.Limit),
	})
	if err != nil {
		return nil, fmt.Errorf("list persons: %w", err)
	}
	return mapped(rows, personFromRow), nil
}

// PutPerson makes or replaces a person, with a mailbox. The links of a removed person of the same id, or whose mailbox had the same address, are
// this one's from then on; those that ended as that person was removed are orphans, see Orphans. A person that moved starts anew there: the
// mailbox's epoch grows, cursor and subscriptions are gone, and the state is StatusNew. Whoever is new or changed is looked at soon, after
// fresher work. Shadow stays as it is, see SetShadow. An address that another person of the tenant has is refused with *TakenError.
func (t *Tx) PutPerson(ctx context.Context, p directory.Person) (PutResult, error) {
	before, exists, err := t.Person(ctx, p.Tenant, p.ID)
	if err != nil {
		return PutResult{}, err
	}
	var res PutResult
	res.Created = !exists
	p.Shadow = before.Shadow
	res.Changed = !exists || before.Person != p
	res.Moved = exists && (directory.FoldEmail(before.Email) != directory.FoldEmail(p.Email) ||
		before.SyncMode != p.SyncMode || before.SyncURL != p.SyncURL)
	if !res.Changed {
		return res, nil
	}
	if p.Email != "" {
		other, taken, err := t.personAt(ctx, p.Tenant, p.Email)
		if err != nil {
			return PutResult{}, err
		}
		if taken && other.ID != p.ID {
			return PutResult{}, &TakenError{Email: p.Email, By: other.ID}
		}
	}
	err = t.q.UpsertPerson(ctx, db.UpsertPersonParams{
		Tenant:            p.Tenant,
		ID:                p.ID,
		Email:             p.Email,
		EmailKey:          directory.FoldEmail(p.Email),
		DisplayName:       p.DisplayName,
		Kind:              string(p.Kind),
		SyncMode:          p.SyncMode,
		SyncUrl:           p.SyncURL,
		SyncDisabled:      p.SyncDisabled,
		ConflictBehaviour: string(p.ConflictBehaviour),
		MailOnError:       p.MailOnError,
		OwnBookings:       !p.SyncOnRequest,
		SyncMaster:        p.SyncMaster,
		Status:            string(StatusNew),
		Created:           millis(t.s.now()),
	})
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) && pg.Code == "23505" {
		return PutResult{}, &TakenError{Email: p.Email} // somebody was faster
	}
	if err != nil {
		return PutResult{}, fmt.Errorf("save person %s: %w", p.ID, err)
	}
	var former []db.FormerMailbox
	if res.Created || res.Moved {
		former, err = t.q.ListFormerMailboxes(ctx, db.ListFormerMailboxesParams{
			Tenant: p.Tenant, Person: p.ID, EmailKey: directory.FoldEmail(p.Email),
		})
		if err != nil {
			return PutResult{}, fmt.Errorf("who had the mailbox of person %s before: %w", p.ID, err)
		}
	}
	epoch := int64(1)
	for _, f := range former {
		if f.Person == p.ID {
			epoch = f.Epoch + 1 // a pass that is under way learns that this is another mailbox
		}
	}
	if err := t.q.InsertMailbox(ctx, db.InsertMailboxParams{Tenant: p.Tenant, Person: p.ID, Epoch: epoch}); err != nil {
		return PutResult{}, fmt.Errorf("make mailbox of person %s: %w", p.ID, err)
	}
	if exists && directory.FoldEmail(before.Email) != directory.FoldEmail(p.Email) {
		if err := t.readdress(ctx, before, p); err != nil {
			return PutResult{}, fmt.Errorf("change address of person %s: %w", p.ID, err)
		}
		if err := t.returnOrphans(ctx, before); err != nil {
			return PutResult{}, fmt.Errorf("links of who had the former mailbox of person %s: %w", p.ID, err)
		}
	}
	if res.Moved {
		if err := t.move(ctx, p.Tenant, p.ID); err != nil {
			return PutResult{}, err
		}
	}
	if err := t.inherit(ctx, p, former); err != nil {
		return PutResult{}, fmt.Errorf("links of who had the mailbox of person %s before: %w", p.ID, err)
	}
	return res, t.MarkDirtyBulk(ctx, p.Tenant, p.ID, time.Time{})
}

// readdress remembers the address that a person had, unless it was a wrong one: by which the mailbox was tried and could never be read.
func (t *Tx) readdress(ctx context.Context, before PersonRow, p directory.Person) error {
	from, to := directory.FoldEmail(before.Email), directory.FoldEmail(p.Email)
	if err := t.q.DropFormerAddress(ctx, db.DropFormerAddressParams{Tenant: p.Tenant, EmailKey: to, Person: p.ID}); err != nil {
		return err
	}
	mb, _, err := t.Mailbox(ctx, p.Tenant, p.ID)
	if err != nil {
		return err
	}
	failed := before.State.Status == StatusWaiting || before.State.Status == StatusAttention
	if from == "" || mb.Cursor == "" && failed {
		return nil
	}
	return t.q.PutFormerAddress(ctx, db.PutFormerAddressParams{Tenant: p.Tenant, EmailKey: from, Person: p.ID, Epoch: mb.Epoch})
}

// inherit makes the links of removed persons a person's own: of a former one of the same id, and of whoever had the same mailbox under another
// id. What they know of items holds where the mailbox is reached as it was then.
func (t *Tx) inherit(ctx context.Context, p directory.Person, former []db.FormerMailbox) error {
	if len(former) == 0 {
		return nil
	}
	mb, _, err := t.Mailbox(ctx, p.Tenant, p.ID)
	if err != nil {
		return err
	}
	for _, f := range former {
		from := int64(-2) // which no link has: a reference of another place is worth nothing
		if f.EmailKey == directory.FoldEmail(p.Email) && f.SyncMode == p.SyncMode && f.SyncUrl == p.SyncURL {
			from = f.Epoch
		}
		err := t.q.InheritLinks(ctx, db.InheritLinksParams{Tenant: p.Tenant, Person: f.Person, Heir: p.ID, FromEpoch: from, Epoch: mb.Epoch})
		if err != nil {
			return err
		}
		if err := t.q.DropFormerMailbox(ctx, db.DropFormerMailboxParams{Tenant: p.Tenant, Person: f.Person}); err != nil {
			return err
		}
	}
	return nil
}

// returnOrphans gives the orphans that a person had with an address back to those whose they were: it led to their mailbox, and was a slip perhaps.
func (t *Tx) returnOrphans(ctx context.Context, before PersonRow) error {
	mb, _, err := t.Mailbox(ctx, before.Tenant, before.ID)
	if err != nil {
		return err
	}
	err = t.q.KeepOwnersMailboxes(ctx, db.KeepOwnersMailboxesParams{
		Tenant: before.Tenant, Person: before.ID, EmailKey: directory.FoldEmail(before.Email), SyncMode: before.SyncMode, SyncUrl: before.SyncURL, Epoch: mb.Epoch,
	})
	if err != nil {
		return err
	}
	return t.q.ReturnOrphans(ctx, db.ReturnOrphansParams{Tenant: before.Tenant, Person: before.ID})
}

func (t *Tx) move(ctx context.Context, tenant, id string) error {
	if err := t.DropSubscriptions(ctx, tenant, id); err != nil {
		return err
	}
	if err := t.q.MoveMailbox(ctx, db.MoveMailboxParams{Tenant: tenant, Person: id}); err != nil {
		return fmt.Errorf("move mailbox of person %s: %w", id, err)
	}
	if err := t.q.DropSplits(ctx, db.DropSplitsParams{Tenant: tenant, Person: id}); err != nil {
		return wrapped(err, "forget split series of %s", id)
	}
	return t.SetPersonState(ctx, tenant, id, PersonState{Status: StatusNew})
}

// DeletePerson removes a person with mailbox, subscriptions and intents. The links are dead from then on, those that lived are orphans, and what was
// laid before the person is closed; bookings and timeline stay. A person that does not exist is left alone.
func (t *Tx) DeletePerson(ctx context.Context, tenant, id string) error {
	steps := []func() error{
		func() error { return t.hold(ctx, lockPerson, tenant, id) },
		func() error { return t.leave(ctx, tenant, id, "") },
		func() error {
			return t.q.DropSubscriptions(ctx, db.DropSubscriptionsParams{Tenant: tenant, Person: id})
		},
		func() error {
			return t.q.DropIntentsOfPerson(ctx, db.DropIntentsOfPersonParams{Tenant: tenant, Person: id})
		},
		func() error {
			return t.q.PutFormerMailbox(ctx, db.PutFormerMailboxParams{Tenant: tenant, Person: id})
		},
		func() error {
			return t.q.KillLinksOfPerson(ctx, db.KillLinksOfPersonParams{Tenant: tenant, Person: id})
		},
		func() error {
			return t.q.CloseDifferencesOfPerson(ctx, db.CloseDifferencesOfPersonParams{Tenant: tenant, Person: id, Ended: millis(t.s.now())})
		},
		func() error { return t.CloseQuarantine(ctx, tenant, id) },
		func() error {
			return t.q.DropScanPartsOfPerson(ctx, db.DropScanPartsOfPersonParams{Tenant: tenant, Person: id})
		},
		func() error {
			return t.q.DropRoomItems(ctx, db.DropRoomItemsParams{Tenant: tenant, Room: id})
		},
		func() error { return t.q.DropSplits(ctx, db.DropSplitsParams{Tenant: tenant, Person: id}) },
		func() error { return t.q.DropMove(ctx, db.DropMoveParams{Tenant: tenant, Person: id}) },
		func() error { return t.SetMovedFrom(ctx, tenant, id) },
		func() error { return t.leaveAddresses(ctx, tenant, id) },
		func() error {
			return t.q.DeleteMailbox(ctx, db.DeleteMailboxParams{Tenant: tenant, Person: id})
		},
		func() error {
			_, err := t.q.DeletePerson(ctx, db.DeletePersonParams{Tenant: tenant, ID: id})
			return err
		},
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("delete person %s: %w", id, err)
		}
	}
	return nil
}

// leaveAddresses keeps by what addresses a room that is removed was known: items go on naming it by them, should it be back. A person's are forgotten.
func (t *Tx) leaveAddresses(ctx context.Context, tenant, id string) error {
	row, found, err := t.Person(ctx, tenant, id)
	if err != nil || !found {
		return err
	}
	if row.Kind != directory.KindResource {
		return t.q.DropFormerAddresses(ctx, db.DropFormerAddressesParams{Tenant: tenant, Person: id})
	}
	if row.Email != "" {
		err := t.q.PutFormerAddress(ctx, db.PutFormerAddressParams{Tenant: tenant, EmailKey: directory.FoldEmail(row.Email), Person: id})
		if err != nil {
			return err
		}
	}
	return t.q.KeepFormerAddresses(ctx, db.KeepFormerAddressesParams{Tenant: tenant, Person: id})
}

// SetPersonState records how the person's sync is. While status and kind stay the same, Since does, too; otherwise it is
// st.Since, or now if that is zero. A person that does not exist is left alone.
func (t *Tx) SetPersonState(ctx context.Context, tenant, id string, st PersonState) error {
	before, exists, err := t.Person(ctx, tenant, id)
	if err != nil || !exists {
		return err
	}
	switch {
	case before.State.Status == st.Status && before.State.Kind == st.Kind:
		st.Since = before.State.Since
	case st.Since.IsZero():
		st.Since = t.s.now()
	}
	_, err = t.q.SetPersonState(ctx, db.SetPersonStateParams{
		Tenant:     tenant,
		ID:         id,
		Status:     string(st.Status),
		Fault:      st.Kind,
		Reason:     st.Reason,
		Remedy:     st.Remedy,
		StateSince: millis(st.Since),
		StateUntil: millis(st.Until),
	})
	if err != nil {
		return fmt.Errorf("save state of person %s: %w", id, err)
	}
	return nil
}

func personFromRow(row db.Person) PersonRow {
	return PersonRow{
		Person: directory.Person{
			Tenant:            row.Tenant,
			ID:                row.ID,
			Email:             row.Email,
			DisplayName:       row.DisplayName,
			Kind:              directory.Kind(row.Kind),
			SyncMode:          row.SyncMode,
			SyncURL:           row.SyncUrl,
			SyncDisabled:      row.SyncDisabled,
			ConflictBehaviour: directory.ConflictBehaviour(row.ConflictBehaviour),
			MailOnError:       row.MailOnError,
			SyncOnRequest:     !row.OwnBookings,
			Shadow:            row.Shadow,
			SyncMaster:        row.SyncMaster,
		},
		State: PersonState{
			Status: Status(row.Status),
			Kind:   row.Fault,
			Reason: row.Reason,
			Remedy: row.Remedy,
			Since:  moment(row.StateSince),
			Until:  moment(row.StateUntil),
		},
		Created: moment(row.Created),
		Updated: moment(row.Updated),
	}
}
