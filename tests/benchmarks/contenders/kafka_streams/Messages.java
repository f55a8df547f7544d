import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Instant;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.util.Set;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** What travels, and the rules. */
final class Messages {
    record Order(
            long orderId, long customerId, double amount, String country, String createdAt) {

        boolean isRisky() {
            return amount > 300 && !SAFE.contains(country);
        }
    }

    record Alert(
            long orderId, String reason, double amount, String country, long customerId,
            String detectedAt) {

        static Alert of(Order order) {
            return new Alert(
                    order.orderId, "HIGH_AMOUNT_RISKY_COUNTRY", order.amount, order.country,
                    order.customerId, now());
        }
    }

    record Payment(
            long orderId, String paymentId, String status, double amount, String paidAt) {

        static Payment of(Order order) {
            String status = order.amount > 10_000 ? "DECLINED" : "PAID";
            return new Payment(
                    order.orderId, "pay-" + order.orderId, status, order.amount, now());
        }
    }

    private static final Set<String> SAFE = Set.of("US", "CA");
    private static final DateTimeFormatter MICROSECONDS =
            new DateTimeFormatterBuilder().appendInstant(6).toFormatter();
    private static final ObjectMapper MAPPER = new ObjectMapper()
            .setPropertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);

    private Messages() {}

    static String now() {
        return MICROSECONDS.format(Instant.now());
    }

    /** JSON by Jackson. */
    static <T> Serde<T> json(Class<T> type) {
        var writer = MAPPER.writerFor(type);
        var reader = MAPPER.readerFor(type);
        return Serdes.serdeFrom(
                (topic, value) -> {
                    try {
                        return writer.writeValueAsBytes(value);
                    } catch (IOException error) {
                        throw new UncheckedIOException(error);
                    }
                },
                (topic, bytes) -> {
                    try {
                        return reader.readValue(bytes);
                    } catch (IOException error) {
                        throw new UncheckedIOException(error);
                    }
                });
    }
}
