package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

// maxStatements is how many compiled statements a connection keeps. The queries of the store and of the queue are fewer.
const maxStatements = 512

// openCompiled opens an SQLite database whose connections compile each statement once. Compiling costs more than most of
// our statements themselves, and they are the same few again and again.
func openCompiled(dsn string) (*sql.DB, error) {
	plain, err := sql.Open("sqlite", dsn) // connects to nothing; it knows the driver
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(compiler{plain.Driver(), dsn}), plain.Close()
}

// A compiler makes connections that keep their statements.
type compiler struct {
	driver driver.Driver
	dsn    string
}

// Connect implements driver.Connector.
func (c compiler) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.driver.Open(c.dsn)
	if err != nil {
		return nil, err
	}
	able, ok := conn.(sqliteConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("a connection of the type %T lacks what the store needs", conn), conn.Close())
	}
	return &compiledConn{sqliteConn: able, statements: map[string]*compiled{}}, nil
}

// Driver implements driver.Connector.
func (c compiler) Driver() driver.Driver { return c.driver }

// sqliteConn is what the driver's connections can do.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// A compiledConn is a connection with the statements that it has compiled. Package sql sees to it that it is used by one
// goroutine at a time.
type compiledConn struct {
	sqliteConn
	statements map[string]*compiled
}

// A compiled statement runs once at a time: whoever asks for its query while its rows are still read gets another one.
type compiled struct {
	driver.Stmt
	exec  driver.StmtExecContext
	query driver.StmtQueryContext
	busy  bool
}

// statement returns the compiled form of a query, nil while that is in use.
func (c *compiledConn) statement(ctx context.Context, query string) (*compiled, error) {
	if s := c.statements[query]; s != nil {
		if s.busy {
			return nil, nil
		}
		return s, nil
	}
	if len(c.statements) >= maxStatements {
		if err := c.forget(); err != nil {
			return nil, err
		}
	}
	made, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s := &compiled{Stmt: made}
	s.exec, _ = made.(driver.StmtExecContext)
	s.query, _ = made.(driver.StmtQueryContext)
	if s.exec == nil || s.query == nil {
		return nil, errors.Join(fmt.Errorf("a statement of the type %T lacks what the store needs", made), made.Close())
	}
	c.statements[query] = s
	return s, nil
}

// forget drops the statements that are not in use.
func (c *compiledConn) forget() error {
	var errs []error
	for query, s := range c.statements {
		if !s.busy {
			errs = append(errs, s.Close())
			delete(c.statements, query)
		}
	}
	return errors.Join(errs...)
}

// ExecContext implements driver.ExecerContext. A statement that has begun is not cut off, for the driver would start a
// goroutine for each of them; they are short.
func (c *compiledConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx)
	s, err := c.statement(ctx, query)
	switch {
	case err != nil:
		return nil, err
	case s == nil:
		return c.sqliteConn.ExecContext(ctx, query, args)
	}
	return s.exec.ExecContext(ctx, args)
}

// QueryContext implements driver.QueryerContext.
func (c *compiledConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx)
	s, err := c.statement(ctx, query)
	switch {
	case err != nil:
		return nil, err
	case s == nil:
		return c.sqliteConn.QueryContext(ctx, query, args)
	}
	rows, err := s.query.QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	s.busy = true
	return compiledRows{rows, s}, nil
}

// Close implements driver.Conn.
func (c *compiledConn) Close() error {
	var errs []error
	for _, s := range c.statements {
		errs = append(errs, s.Close())
	}
	c.statements = map[string]*compiled{}
	return errors.Join(append(errs, c.sqliteConn.Close())...)
}

// compiledRows give their statement back when they are closed.
type compiledRows struct {
	driver.Rows
	of *compiled
}

// Close implements driver.Rows.
func (r compiledRows) Close() error {
	r.of.busy = false
	return r.Rows.Close()
}
