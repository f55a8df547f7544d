BEGIN TRANSACTION;
CREATE TABLE activity (
        bucket INTEGER PRIMARY KEY, orders INTEGER NOT NULL, alerts INTEGER NOT NULL);
CREATE TABLE alerts (
        order_id INTEGER NOT NULL, kafka_partition INTEGER NOT NULL,
        kafka_offset INTEGER NOT NULL, reason TEXT NOT NULL, amount REAL NOT NULL,
        country TEXT NOT NULL, customer_id INTEGER NOT NULL, detected_at TEXT NOT NULL,
        created_at TEXT NOT NULL DEFAULT '', kafka_timestamp INTEGER NOT NULL DEFAULT 0,
        rule_version INTEGER NOT NULL DEFAULT 0, detail TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (order_id, reason)) WITHOUT ROWID;
INSERT INTO "alerts" VALUES(1,3,7,'HIGH_AMOUNT_RISKY_COUNTRY',450.25,'IN',1234,'2025-06-01T12:00:00.010000Z','2026-11-20T10:00:01.000000Z',1795168801000,2,'d');
CREATE TABLE countries (
        country TEXT PRIMARY KEY, orders INTEGER NOT NULL, alerts INTEGER NOT NULL,
        paid INTEGER NOT NULL, declined INTEGER NOT NULL, revenue REAL NOT NULL);
INSERT INTO "countries" VALUES('IN',2,1,1,0,450.25);
CREATE TABLE dead_letters (
        order_id INTEGER PRIMARY KEY, kafka_partition INTEGER NOT NULL,
        kafka_offset INTEGER NOT NULL, service TEXT NOT NULL, error_class TEXT NOT NULL,
        error_text TEXT NOT NULL, attempts INTEGER NOT NULL, original_topic TEXT NOT NULL,
        first_failure TEXT NOT NULL, last_failure TEXT NOT NULL,
        kafka_timestamp INTEGER NOT NULL);
INSERT INTO "dead_letters" VALUES(2,3,2,'payment','GatewayError','no answer',8,'orders','2025-06-01T12:00:00.110Z','2025-06-01T12:01:00.110Z',0);
CREATE TABLE orders (
        order_id INTEGER PRIMARY KEY, kafka_partition INTEGER NOT NULL,
        kafka_offset INTEGER NOT NULL, customer_id INTEGER NOT NULL, amount REAL NOT NULL,
        country TEXT NOT NULL, created_at TEXT NOT NULL,
        kafka_timestamp INTEGER NOT NULL DEFAULT 0, stored_at TEXT NOT NULL DEFAULT '',
        trace_id TEXT NOT NULL DEFAULT '');
INSERT INTO "orders" VALUES(1,3,41,4321,450.25,'IN','2026-11-20T10:00:01.000000Z',1795168801000,'','4bf92f3577b34da6a3ce929d0e0e4736');
INSERT INTO "orders" VALUES(2,3,41,1234,450.25,'IN','2026-11-20T10:00:01.000000Z',1795168801000,'','');
CREATE TABLE payments (
        order_id INTEGER PRIMARY KEY, kafka_partition INTEGER NOT NULL,
        kafka_offset INTEGER NOT NULL, payment_id TEXT NOT NULL, status TEXT NOT NULL,
        amount REAL NOT NULL, paid_at TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 1,
        country TEXT NOT NULL DEFAULT '', created_at TEXT NOT NULL DEFAULT '',
        kafka_timestamp INTEGER NOT NULL DEFAULT 0,
        attempt_times TEXT NOT NULL DEFAULT '');
INSERT INTO "payments" VALUES(1,3,40,'pay-1','PAID',450.25,'2025-06-01T12:00:00.110000Z',3,'IN','2026-11-20T10:00:01.000000Z',1795168801000,'a/b c/d');
CREATE TABLE reservations (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, order_id INTEGER NOT NULL,
    customer_id INTEGER NOT NULL, amount REAL NOT NULL, country TEXT NOT NULL,
    created_at TEXT NOT NULL, expires INTEGER NOT NULL, holder TEXT NOT NULL,
    beat INTEGER NOT NULL, is_confirmed INTEGER NOT NULL);
CREATE TABLE shadows (
        order_id INTEGER NOT NULL, kafka_partition INTEGER NOT NULL,
        kafka_offset INTEGER NOT NULL, reason TEXT NOT NULL, amount REAL NOT NULL,
        country TEXT NOT NULL, customer_id INTEGER NOT NULL, detected_at TEXT NOT NULL,
        created_at TEXT NOT NULL DEFAULT '', kafka_timestamp INTEGER NOT NULL DEFAULT 0,
        rule_version INTEGER NOT NULL DEFAULT 0, detail TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (order_id, reason)) WITHOUT ROWID;
INSERT INTO "shadows" VALUES(1,3,9,'CUSTOMER_VELOCITY',450.25,'IN',1234,'2025-06-01T12:00:00.010000Z','2026-11-20T10:00:01.000000Z',1795168801000,0,'');
CREATE INDEX orders_by_time
        ON orders (created_at, order_id, country, customer_id, trace_id);
CREATE INDEX alerts_by_time ON alerts (created_at, order_id);
CREATE INDEX declined_by_time ON payments (created_at, order_id)
        WHERE status = 'DECLINED';
COMMIT;
PRAGMA user_version = 6;
