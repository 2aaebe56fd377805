"""A generation's tokens get the columns that the ledger has: wide enough for every sum of its calls."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('conversations', '0009_link_generation_calls'),
    ]

    operations = [
        migrations.AlterField(
            model_name='generation',
            name='cache_read_tokens',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name='generation',
            name='cache_write_tokens',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name='generation',
            name='input_tokens',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name='generation',
            name='output_tokens',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name='generation',
            name='thinking_tokens',
            field=models.BigIntegerField(null=True),
        ),
    ]
