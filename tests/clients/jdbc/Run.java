import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;

/** Runs every method marked {@link Test} of the test classes, after their {@code prepare} if they have one, and counts. */
public final class Run {
    @Retention(RetentionPolicy.RUNTIME)
    @interface Test {}

    /** Something that may throw anything. */
    interface Attempt {
        void run() throws Exception;
    }

    private static int passed;
    private static final List<String> failures = new ArrayList<>();

    public static void main(String[] arguments) throws Exception {
        for (Class<?> tests : List.of(Connecting.class, Statements.class, Results.class, Copying.class, Metadata.class)) {
            Database.freshSchema();
            Method[] methods = tests.getDeclaredMethods();
            Arrays.sort(methods, Comparator.comparing(Method::getName));
            for (Method method : methods) {
                if (method.getName().equals("prepare")) {
                    method.invoke(null);
                }
            }
            for (Method method : methods) {
                if (method.isAnnotationPresent(Test.class)) {
                    perform(tests, method);
                }
            }
        }
        Database.dropSchema();
        failures.forEach(System.out::println);
        System.out.printf("%d passed, %d failed%n", passed, failures.size());
        System.exit(failures.isEmpty() ? 0 : 1);
    }

    private static void perform(Class<?> tests, Method method) throws ReflectiveOperationException {
        try {
            method.invoke(null);
            passed++;
        } catch (InvocationTargetException thrown) {
            Throwable cause = thrown.getCause();
            failures.add("FAILED " + tests.getName() + "." + method.getName() + ": " + cause);
            Arrays.stream(cause.getStackTrace()).filter(frame -> frame.getModuleName() == null).limit(12)
                    .forEach(frame -> failures.add("    at " + frame));
        }
    }

    static void same(Object expected, Object found) {
        if (!Objects.deepEquals(expected, found)) {
            throw new AssertionError("expected " + text(expected) + ", found " + text(found));
        }
    }

    static void holds(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError(what);
        }
    }

    /** The error with this SQLSTATE that the attempt ends in. */
    static java.sql.SQLException fails(String state, Attempt attempt) throws Exception {
        try {
            attempt.run();
        } catch (java.sql.SQLException thrown) {
            same(state, thrown.getSQLState());
            return thrown;
        }
        throw new AssertionError("nothing failed where " + state + " was expected");
    }

    private static String text(Object value) {
        return value instanceof Object[] array ? Arrays.deepToString(array) : String.valueOf(value);
    }
}
