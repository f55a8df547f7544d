import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/**
 * The SQLite file, with tables and write-ahead log made before. Rows are upserted 1,000 at a time,
 * in one transaction; {@link #save} writes the rest. For one thread.
 */
final class Database {
    private static final int BATCH = 1000;

    private final Connection connection;
    private final List<Table> tables = new ArrayList<>();
    private int waiting;

    Database(String path) throws SQLException {
        connection = DriverManager.getConnection("jdbc:sqlite:" + path);
        try (var statement = connection.createStatement()) {
            statement.execute("PRAGMA busy_timeout = 30000");
            statement.execute("PRAGMA synchronous = NORMAL");
        }
        connection.setAutoCommit(false);
    }

    /** A table to which rows of these columns are added; the first ones are its key. */
    Table table(String name, int keys, String... columns) throws SQLException {
        var table = new Table(connection.prepareStatement(upsert(name, keys, columns)));
        tables.add(table);
        return table;
    }

    private static String upsert(String table, int keys, String... columns) {
        var names = List.of(columns);
        var changes = names.stream().skip(1).map(column -> column + " = excluded." + column);
        return "INSERT INTO %s (%s) VALUES (%s) ON CONFLICT (%s) DO UPDATE SET %s".formatted(
                table,
                String.join(", ", names),
                String.join(", ", names.stream().map(column -> "?").toList()),
                String.join(", ", names.subList(0, keys)),
                String.join(", ", changes.toList()));
    }

    /** Write all rows that were added. */
    void save() {
        if (waiting == 0) {
            return;
        }
        try {
            for (Table table : tables) {
                table.insert.executeBatch();
            }
            connection.commit();
        } catch (SQLException error) {
            throw new IllegalStateException(error);
        }
        waiting = 0;
    }

    final class Table {
        private final PreparedStatement insert;

        private Table(PreparedStatement insert) {
            this.insert = insert;
        }

        void add(Object... row) {
            try {
                for (int at = 0; at < row.length; at++) {
                    insert.setObject(at + 1, row[at]);
                }
                insert.addBatch();
            } catch (SQLException error) {
                throw new IllegalStateException(error);
            }
            if (++waiting == BATCH) {
                save();
            }
        }
    }
}
