package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
)

func openForStatements(t *testing.T) *sql.DB {
	t.Helper()
	db, err := openCompiled(fileURI(filepath.Join(t.TempDir(), "test.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE n (v INTEGER); INSERT INTO n VALUES (1), (2), (3)"); err != nil {
		t.Fatal(err)
	}
	return db
}

func numbers(t *testing.T, rows *sql.Rows, err error) (got []int) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var v int
		if err := rows.Scan(&v); err != nil {
			t.Fatal(err)
		}
		got = append(got, v)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestAQueryWithinItself(t *testing.T) {
	t.Parallel()
	const all = "SELECT v FROM n ORDER BY v"
	tx, err := openForStatements(t).Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	rows, err := tx.Query(all)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for want := 1; rows.Next(); want++ {
		var v int
		if err := rows.Scan(&v); err != nil || v != want {
			t.Fatalf("outer row = %d, %v; want %d", v, err, want)
		}
		inner, err := tx.Query(all)
		if got := numbers(t, inner, err); fmt.Sprint(got) != "[1 2 3]" {
			t.Errorf("inner rows = %v", got)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

func TestAStatementOutlivesItsTable(t *testing.T) {
	t.Parallel()
	db := openForStatements(t)
	const all = "SELECT * FROM n"
	rows, err := db.Query(all)
	numbers(t, rows, err)
	if _, err := db.Exec("DROP TABLE n; CREATE TABLE n (v INTEGER, w TEXT); INSERT INTO n VALUES (7, 'x')"); err != nil {
		t.Fatal(err)
	}
	var v int
	var w string
	if err := db.QueryRow(all).Scan(&v, &w); err != nil || v != 7 || w != "x" {
		t.Errorf("after the table was made anew: %d, %q, %v", v, w, err)
	}
}

func TestMoreStatementsThanAreKept(t *testing.T) {
	t.Parallel()
	db := openForStatements(t)
	for i := range 2*maxStatements + 10 {
		var v int
		if err := db.QueryRow(fmt.Sprintf("SELECT v + %d FROM n WHERE v = ?", i), 2).Scan(&v); err != nil || v != i+2 {
			t.Fatalf("statement %d: %d, %v", i, v, err)
		}
	}
}

func TestAFailedStatementIsGoodAgain(t *testing.T) {
	t.Parallel()
	db := openForStatements(t)
	if _, err := db.Exec("CREATE UNIQUE INDEX one ON n (v)"); err != nil {
		t.Fatal(err)
	}
	const insert = "INSERT INTO n (v) VALUES (?) RETURNING v"
	var v int
	if err := db.QueryRow(insert, 1).Scan(&v); err == nil {
		t.Error("a second 1 was taken")
	}
	if err := db.QueryRow(insert, 4).Scan(&v); err != nil || v != 4 {
		t.Errorf("after a failure: %d, %v", v, err)
	}
}

func TestNothingBeginsAfterItsContext(t *testing.T) {
	t.Parallel()
	db := openForStatements(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := db.ExecContext(ctx, "DELETE FROM n"); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want that of the context", err)
	}
	rows, err := db.Query("SELECT v FROM n")
	if got := numbers(t, rows, err); len(got) != 3 {
		t.Errorf("%d rows are left, want 3", len(got))
	}
}
