package api

import (
	"context"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/roompolicy"
	"github.com/roomwire/roomwire/host/internal/store"
)

// refusalsShown is how many refusals are told of one room.
const refusalsShown = 3

// ReviewRooms implements rest.StrictServerInterface.
func (h *handler) ReviewRooms(ctx context.Context, _ rest.ReviewRoomsRequestObject) (rest.ReviewRoomsResponseObject, error) {
	out := rest.RoomReview{Rooms: []rest.ReviewedRoom{}, Settings: []rest.RoomSetting{}}
	for _, s := range roompolicy.Settings() {
		out.Settings = append(out.Settings, rest.RoomSetting{Name: s.Name, Value: given(s.Value), Why: s.Why})
	}
	for filter := (store.PersonFilter{Kind: string(directory.KindResource)}); ; {
		rows, err := h.Reads.Persons(ctx, tenant(ctx), filter)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			filter.After = row.ID
			if row.Email == "" {
				continue
			}
			room, err := h.reviewed(ctx, row)
			if err != nil {
				return nil, err
			}
			out.Rooms = append(out.Rooms, room)
		}
		if len(rows) == 0 {
			return rest.ReviewRooms200JSONResponse(out), nil
		}
	}
}

func (h *handler) reviewed(ctx context.Context, row store.PersonRow) (rest.ReviewedRoom, error) {
	room := rest.ReviewedRoom{
		ID: row.ID, DisplayName: given(row.DisplayName), Email: row.Email, SyncMode: row.SyncMode,
		Get: roompolicy.GetCommand(row.Email), Set: roompolicy.SetCommand(row.Email), Refusals: []rest.RoomRefusal{},
	}
	if h.Refusals == nil {
		return room, nil
	}
	list, err := h.Refusals.Refusals(ctx, row.Tenant, row.ID, refusalsShown)
	for _, r := range list {
		room.Refusals = append(room.Refusals, rest.RoomRefusal{
			Booking: r.Booking, At: r.At.UTC(), Reason: r.Reason, Settings: append([]string{}, roompolicy.Points(r.Reason)...),
		})
	}
	return room, err
}
