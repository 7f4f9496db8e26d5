package store

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

func (s *Store) migrate(ctx context.Context) error {
	dialect := goose.DialectSQLite3
	if s.dialect == PostgreSQL {
		dialect = goose.DialectPostgres
	}
	files, err := fs.Sub(migrations, "migrations/"+string(s.dialect))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	provider, err := goose.NewProvider(dialect, s.writer, files)
	if err != nil {
		return fmt.Errorf("prepare migrations: %w", err)
	}
	return s.Exclusively(ctx, func(ctx context.Context) error {
		done, err := provider.Up(ctx)
		if err != nil {
			return fmt.Errorf("bring tables up to date: %w", err)
		}
		for _, m := range done {
			s.log.Info("database migrated", "migration", m.Source.Path, "took", m.Duration)
		}
		return nil
	})
}

// exclusiveLock is the key of the session lock behind Exclusively.
const exclusiveLock = 0x526F6F6D77697265

// Exclusively calls f while no other host on the same database does. It is meant for what happens once at start, such
// as migrations.
func (s *Store) Exclusively(ctx context.Context, f func(context.Context) error) error {
	if s.dialect == SQLite {
		return f(ctx) // the file is ours alone
	}
	conn, err := s.pools[0].Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect to database: %w", err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(exclusiveLock)); err != nil {
		return fmt.Errorf("wait for other hosts: %w", err)
	}
	err = f(ctx)
	if _, unlock := conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(exclusiveLock)); unlock != nil {
		// The lock ends with its session at the latest.
		_ = conn.Conn().Close(context.WithoutCancel(ctx))
	}
	return err
}
