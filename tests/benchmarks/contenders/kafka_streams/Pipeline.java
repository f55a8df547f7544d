import java.sql.SQLException;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.Record;

/** Fraud, payment and analytics as the topology of one Kafka Streams application. */
public final class Pipeline {
    private static final Map<String, String> ENV = System.getenv();
    private static final Serde<byte[]> KEY = Serdes.ByteArray();
    private static final Serde<Messages.Order> ORDER = Messages.json(Messages.Order.class);
    private static final Serde<Messages.Alert> ALERT = Messages.json(Messages.Alert.class);
    private static final Serde<Messages.Payment> PAYMENT = Messages.json(Messages.Payment.class);

    private Pipeline() {}

    /** The defaults of Kafka Streams: at least once, one thread. Its producer waits for all. */
    private static Properties settings() {
        var settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, "kafka-streams");
        settings.put(
                StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, ENV.get("KAFKA_BOOTSTRAP_SERVERS"));
        settings.put(StreamsConfig.producerPrefix("acks"), "all");
        // The default of 30 s would be waited for at the end of a run.
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, "state");
        return settings;
    }

    private static KStream<byte[], Messages.Order> fraudAndPayment(StreamsBuilder builder) {
        var orders = builder.stream("orders", Consumed.with(KEY, ORDER));
        orders.filter((key, order) -> order.isRisky())
                .mapValues(Messages.Alert::of)
                .to("fraud-alerts", Produced.with(KEY, ALERT));
        orders.mapValues(Messages.Payment::of).to("payments", Produced.with(KEY, PAYMENT));
        return orders;
    }

    private static void analytics(
            StreamsBuilder builder, KStream<byte[], Messages.Order> orders, Database database)
            throws SQLException {
        var ordersTable = database.table(
                "orders", 1, "order_id", "kafka_partition", "kafka_offset", "customer_id", "amount",
                "country", "created_at");
        var alertsTable = database.table(
                "alerts", 2, "order_id", "reason", "kafka_partition", "kafka_offset", "amount",
                "country", "customer_id", "detected_at");
        var paymentsTable = database.table(
                "payments", 1, "order_id", "kafka_partition", "kafka_offset", "payment_id",
                "status", "amount", "paid_at");
        keep(orders, (order, partition, offset) -> ordersTable.add(
                order.orderId(), partition, offset, order.customerId(), order.amount(),
                order.country(), order.createdAt()));
        var alerts = builder.stream("fraud-alerts", Consumed.with(KEY, ALERT));
        keep(alerts, (alert, partition, offset) -> alertsTable.add(
                alert.orderId(), alert.reason(), partition, offset, alert.amount(),
                alert.country(), alert.customerId(), alert.detectedAt()));
        var payments = builder.stream("payments", Consumed.with(KEY, PAYMENT));
        keep(payments, (payment, partition, offset) -> paymentsTable.add(
                payment.orderId(), partition, offset, payment.paymentId(), payment.status(),
                payment.amount(), payment.paidAt()));
    }

    /** Adds the row of a message and its place in Kafka. */
    private interface Keeper<T> {
        void add(T value, int partition, long offset);
    }

    private static <T> void keep(KStream<byte[], T> stream, Keeper<T> keeper) {
        stream.process(() -> new ContextualProcessor<byte[], T, Void, Void>() {
            @Override
            public void process(Record<byte[], T> record) {
                var place = context().recordMetadata().orElseThrow();
                keeper.add(record.value(), place.partition(), place.offset());
            }
        });
    }

    private static KafkaStreams streams() throws SQLException {
        var builder = new StreamsBuilder();
        var orders = fraudAndPayment(builder);
        String path = ENV.get("BENCH_DATABASE");
        if (path == null) {
            return new KafkaStreams(builder.build(), settings());
        }
        var database = new Database(path);
        analytics(builder, orders, database);
        return new KafkaStreams(builder.build(), settings(), new Clients(database::save));
    }

    public static void main(String[] arguments) throws SQLException {
        var streams = streams();
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }
}
