from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('records', '0015_access'),
    ]

    operations = [
        migrations.AddField(
            model_name='comment',
            name='company',
            field=models.CharField(default='', max_length=32),
        ),
    ]
