package store

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// poolSize is the number of connections of each pool where the URL does not say (pool_max_conns).
const poolSize = 8

func (s *Store) openPostgres(ctx context.Context) error {
	s.dialect = PostgreSQL
	writer, err := s.NewPool(ctx)
	if err != nil {
		return err
	}
	s.pools = append(s.pools, writer)
	s.writer = stdlib.OpenDBFromPool(writer)
	// A pool of its own for reading: a transaction that reads through the Store must never wait for a connection that
	// only another such transaction could give back.
	reader, err := s.NewPool(ctx)
	if err != nil {
		return err
	}
	s.pools = append(s.pools, reader)
	s.reader = stdlib.OpenDBFromPool(reader)
	if err := writer.Ping(ctx); err != nil {
		return fmt.Errorf("connect to database %s: %w; is it running, and are user and password right?", redactURL(s.url), err)
	}
	if err := s.migrate(ctx); err != nil {
		return fmt.Errorf("database %s: %w", redactURL(s.url), err)
	}
	return nil
}

// NewPool opens another pool of connections to a PostgreSQL database; the caller closes it. The queue has one, so that
// it cannot starve the store, nor the store it.
func (s *Store) NewPool(ctx context.Context) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(s.url)
	if err != nil {
		return nil, fmt.Errorf("store url %s: %w", redactURL(s.url), err)
	}
	if !strings.Contains(s.url, "pool_max_conns") {
		config.MaxConns = poolSize
	}
	config.MaxConns = max(config.MaxConns, 2) // migrations hold a lock on one and work on another
	config.ConnConfig.RuntimeParams["application_name"] = "roomwire"
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", redactURL(s.url), err)
	}
	return pool, nil
}

// redactURL returns a store URL without its password.
func redactURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		scheme, _, _ := strings.Cut(raw, ":")
		return scheme + ":…"
	}
	q := u.Query()
	if q.Has("password") || q.Has("sslpassword") {
		q.Del("password")
		q.Del("sslpassword")
		u.RawQuery = q.Encode()
	}
	return u.Redacted()
}
