"""What things cost: functions that measure and return rows; they print nothing."""
